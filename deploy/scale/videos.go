package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/winnow-video/winnow/workflows/job"
)

// picture is what the long clip shows: a test pattern with noise over it, so that it costs what films cost to decode.
const picture = "testsrc2=s=1280x720:r=30,noise=alls=6:allf=t:all_seed=7,format=yuv420p"

// longClip is two minutes of 720p H.264, a key frame every 250; it is drawn by FFmpeg
// where it is not there yet.
func longClip(ctx context.Context, folder, ffmpeg string) (string, error) {
	path := filepath.Join(folder, "h264-gop250-120s.mp4")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	part := filepath.Join(folder, "part.mp4")
	cmd := exec.CommandContext(ctx, ffmpeg, "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-t", "120",
		"-c:v", "libx264", "-preset", "veryfast", "-crf", "25", "-bf", "3", "-refs", "3", "-g", "250", "-keyint_min", "250", "-sc_threshold", "0", part)
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s draws a clip: %w\n%s", ffmpeg, err, text)
	}
	return path, os.Rename(part, path)
}

// copies writes n videos into a folder that show what files show, in turn, and yet
// are different: at the end of each stands an empty box of MP4's with its number.
func copies(folder string, files []string, n int) ([]string, error) {
	all := make([]string, n)
	for i := range all {
		file := files[i%len(files)]
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		all[i] = filepath.Join(folder, fmt.Sprintf("%04d-%s", i, filepath.Base(file)))
		if err := os.WriteFile(all[i], slices.Concat(content, freeBox(uint64(i))), 0o600); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// freeBox is a box of type free, which players skip: its size, its type, a number.
func freeBox(number uint64) []byte {
	box := binary.BigEndian.AppendUint32(nil, 16)
	return binary.BigEndian.AppendUint64(append(box, "free"...), number)
}

// demoClips are those of the demo's clips that are MP4, ten seconds and less.
func demoClips(folder string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.mp4"))
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no clips in %s", folder)
	}
	return files, err
}

// asked is so many of the demo's questions about each video. Whether they are
// to the point does not matter here.
func asked(folder string, videos []string, questions int) ([]job.Item, error) {
	manifest := filepath.Join(folder, "manifest.jsonl")
	pool, err := distinct(manifest)
	if err != nil {
		return nil, err
	}
	if len(pool) < questions {
		return nil, fmt.Errorf("%s has %d different questions, want %d", manifest, len(pool), questions)
	}
	var items []job.Item
	for _, video := range videos {
		for q := range questions {
			item := pool[q]
			item.ID, item.Video, item.Line = fmt.Sprintf("%s-%d", filepath.Base(video), q), video, len(items)+1
			items = append(items, item)
		}
	}
	return items, nil
}

// distinct is a manifest's items whose question no earlier one asks.
func distinct(manifest string) (pool []job.Item, err error) {
	file, err := os.Open(manifest)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	seen := map[string]bool{}
	for item, err := range job.ReadManifest(file, manifest, filepath.Dir(manifest)) {
		if err != nil {
			return nil, err
		}
		if !seen[item.Question] {
			seen[item.Question] = true
			pool = append(pool, item)
		}
	}
	return pool, nil
}
