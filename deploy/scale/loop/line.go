package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/winnow-video/winnow/decode/client"
	"github.com/winnow-video/winnow/decode/wire"
	"github.com/winnow-video/winnow/infer"
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
	"github.com/winnow-video/winnow/workflows/job"
)

// line takes one video after the other through the stages.
type line struct {
	spec     job.Spec
	decoder  client.Decoder
	bundle   *bundle.Bundle
	encoder  *infer.Encoder
	language *infer.Decoder
	answerer *infer.Answerer
}

// What a decoder may hold: a prompt at a time is far below either.
var limits = infer.Limits{Rows: 8192, KV: 1 << 30}

func newLine(ctx context.Context, o order, engine infer.Engine) (*line, error) {
	l := &line{spec: o.Spec.WithDefaults(), decoder: client.Decoder{Path: o.Decoder}}
	var err error
	if l.bundle, err = bundle.Open(ctx, o.Bundle); err != nil {
		return nil, err
	}
	if l.encoder, err = infer.NewEncoder(engine, l.bundle); err != nil {
		return nil, err
	}
	if l.language, err = infer.NewDecoder(engine, l.bundle, limits); err != nil {
		return nil, err
	}
	l.answerer, err = infer.NewAnswerer(engine, l.bundle, l.language)
	return l, err
}

func (l *line) close() {
	l.answerer.Close()
	l.language.Close()
	l.encoder.Close()
	l.bundle.Close()
}

// item answers one item.
func (l *line) item(ctx context.Context, item job.Item) (job.Answer, error) {
	clip, err := l.decode(ctx, item)
	if err != nil {
		return job.Answer{}, err
	}
	tokens, err := l.encoder.Encode(clip)
	if err != nil {
		return job.Answer{}, err
	}
	kept, err := l.prune(tokens, item)
	if err != nil {
		return job.Answer{}, err
	}
	question, err := infer.NewQuestion(item, l.spec.Generate, l.spec.Fit, kept)
	if err != nil {
		return job.Answer{}, err
	}
	outcome := l.answerer.Answer(ctx, []*infer.Question{question})[0]
	if outcome.Failure != nil {
		return job.Answer{}, outcome.Failure
	}
	return outcome.Reply.Answer, nil
}

func (l *line) decode(ctx context.Context, item job.Item) (*tensor.File, error) {
	video, err := client.OpenFile(item.Video)
	if err != nil {
		return nil, err
	}
	defer video.Close()
	image := l.bundle.Image
	clip, err := l.decoder.Run(ctx, wire.Request{
		Container: filepath.Ext(item.Video), Start: item.Start, End: item.End,
		Sampling: wire.Sampling{Strategy: l.spec.Frames.Strategy, Count: l.spec.Frames.Count},
		Image:    wire.Image{Size: image.Size, Resize: wire.Resize(image.Resize)},
		Color:    l.spec.Frames.Color, Limits: l.spec.Limits,
	}, video)
	if err != nil {
		return nil, err
	}
	return tensor.Decode(clip.Bytes)
}

// prune keeps of tokens F16 [T,P,D] what the item is about: a kept artifact.
func (l *line) prune(tokens *tensor.File, item job.Item) (*tensor.File, error) {
	query, err := l.query(tokens, item)
	if err != nil {
		return nil, err
	}
	in := &tensor.File{Tensors: map[string]tensor.Tensor{"visual_tokens": tokens.Tensors["tokens"]}}
	tensor.Put(in, "text_query", tensor.Dense[float32]{Shape: tensor.Shape{len(query)}, Data: query})
	p := l.spec.Prune[0]
	options := prune.Options{Method: p.Method, Keep: p.Keep, Alpha: p.Alpha, Tau: p.Tau, Scope: prune.Scope(p.Scope)}
	out, selection, err := prune.SelectFile(in, options)
	if err != nil {
		return nil, err
	}
	kept := &tensor.File{
		Metadata: map[string]string{
			"T": strconv.Itoa(selection.T), "P": strconv.Itoa(selection.P), "duration_s": tokens.Metadata["duration_s"],
		},
		Tensors: map[string]tensor.Tensor{
			"tokens": out.Tensors["kept_tokens"], "frame": out.Tensors["frame"], "cell": out.Tensors["cell"],
			"index": tokens.Tensors["index"], "pts_s": tokens.Tensors["pts_s"],
		},
	}
	// It says that the question chose: no other has the same prefix.
	tensor.Put(kept, "relevance_all", tensor.Dense[float32]{Shape: tensor.Shape{selection.T, selection.P}, Data: selection.Relevance})
	return kept, nil
}

// query is the vector [E] that an item is pruned by.
func (l *line) query(tokens *tensor.File, item job.Item) ([]float32, error) {
	pts, err := tensor.Get[float64](tokens, "pts_s")
	if err != nil {
		return nil, err
	}
	duration, err := strconv.ParseFloat(tokens.Metadata["duration_s"], 64)
	if err != nil {
		return nil, fmt.Errorf("%s: duration: %w", item.Video, err)
	}
	ids, err := l.bundle.QueryIDs(l.spec.Prune[0].Query, bundle.Question{
		Text: item.Question, Options: item.Options, Times: pts.Data, Duration: duration,
	})
	if err != nil {
		return nil, err
	}
	wide := make([]int, len(ids))
	for i, id := range ids {
		wide[i] = int(id)
	}
	return prune.QueryQuestion(embeddings{l.bundle}, wide)
}

// embeddings is a bundle's token embeddings as prune reads them.
type embeddings struct{ *bundle.Bundle }

func (e embeddings) Width() int { return e.Dims.Language.Hidden }

func (e embeddings) Row(id int) ([]float32, error) {
	rows, err := e.Embed([]int32{int32(id)})
	return rows.Data, err
}
