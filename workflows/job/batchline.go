package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// batchLine is a line of OpenAI's Batch API, as far as Winnow reads it.
type batchLine struct {
	CustomID *string `json:"custom_id"`
	Method   string  `json:"method"`
	Body     struct {
		Messages []batchMessage `json:"messages"`
	} `json:"body"`
}

type batchMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

type batchPart struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	VideoURL struct {
		URL string `json:"url"`
	} `json:"video_url"`
	ImageURL struct {
		URL string `json:"url"`
	} `json:"image_url"`
}

func isBatchLine(text []byte) bool {
	var line struct {
		CustomID json.RawMessage `json:"custom_id"`
	}
	return bytes.Contains(text, []byte(`"custom_id"`)) && json.Unmarshal(text, &line) == nil && line.CustomID != nil
}

// parseBatchLine reads the one video_url or image_url part and the text parts of the user's message.
func parseBatchLine(text []byte, raw *manifestLine) error {
	var line batchLine
	if err := json.Unmarshal(text, &line); err != nil {
		return jsonError(err)
	}
	if line.Method != "POST" {
		return &FieldError{Field: "method", Msg: fmt.Sprintf("%q: want POST", line.Method)}
	}
	parts, err := userParts(line.Body.Messages)
	if err != nil {
		return err
	}
	raw.ID = line.CustomID
	return readParts(parts, raw)
}

func userParts(messages []batchMessage) ([]batchPart, error) {
	if len(messages) != 1 || messages[0].Role != "user" {
		return nil, &FieldError{Field: "body.messages", Msg: "want exactly one message, of role user"}
	}
	var parts []batchPart
	if err := json.Unmarshal(messages[0].Content, &parts); err != nil {
		return nil, &FieldError{Field: "body.messages[0].content", Msg: "want a list of parts: one video_url or image_url, and text"}
	}
	return parts, nil
}

func readParts(parts []batchPart, raw *manifestLine) error {
	var texts, videos []string
	for i, part := range parts {
		switch part.Type {
		case "text":
			texts = append(texts, part.Text)
		case "video_url":
			videos = append(videos, part.VideoURL.URL)
		case "image_url":
			videos = append(videos, part.ImageURL.URL)
		default:
			return &FieldError{Field: fmt.Sprintf("body.messages[0].content[%d].type", i), Msg: fmt.Sprintf("%q: want text, video_url or image_url", part.Type)}
		}
	}
	if len(videos) != 1 {
		return fmt.Errorf("has %d video_url or image_url parts; want one", len(videos))
	}
	if strings.HasPrefix(videos[0], "data:") {
		return errors.New("holds its video inline; put it into a file and give its address")
	}
	question := strings.Join(texts, "\n")
	raw.Video, raw.Question = &videos[0], &question
	return nil
}
