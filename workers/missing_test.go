package workers

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows"
	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/bus"
	"github.com/winnow-video/winnow/workflows/job"
)

func (r *rig) s3client(t *testing.T) *minio.Client {
	t.Helper()
	client, err := r.services.s3.Client()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// next is the same rig for another run of the job.
func (r *rig) next(change func(*job.Spec)) *rig {
	again := *r
	again.id, again.input = strings.Replace(r.id, ".1", ".2", 1), workflows.JobInput{}
	change(&again.spec)
	again.spec = again.spec.WithDefaults()
	return &again
}

func TestVanishedKeptTokensAreMadeAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "a.mp4", 2)
	var once sync.Once
	client := r.s3client(t)
	r.oracle.hold = func(ctx context.Context, req bus.Request) {
		if req.Answer == nil {
			return
		}
		once.Do(func() {
			if err := client.RemoveObject(ctx, r.services.s3.Bucket, string(req.Answer.Kept), minio.RemoveObjectOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	r.oracle.start(t)
	r.start(t)
	if result := r.wait(t); result.Tally.OK != 2 {
		t.Errorf("result = %+v", result)
	}
	r.wantEnds(t, nil)
	if encodes, _ := r.oracle.seen(job.StageEncode); encodes != 1 {
		t.Errorf("%d encodes, want 1: the tokens were there", encodes)
	}
}

func TestCorruptTokensAreMadeAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, startShared(t))
	r.video(t, "a.mp4", 1)
	r.oracle.start(t)
	r.start(t)
	r.wait(t)
	record := r.read(t, "results.jsonl")[0]
	r.corrupt(t, artifact.Key("v1/"+strings.Split(record.KeptRef, "/")[1]+"/tokens/"))
	again := r.next(func(s *job.Spec) { s.Prune = job.Prunings{{Method: "rediprune", Keep: 0.5, Alpha: 0.5}} })
	again.start(t)
	if result := again.wait(t); result.Tally.OK != 1 {
		t.Errorf("result = %+v", result)
	}
	again.wantEnds(t, nil)
	if encodes, _ := r.oracle.seen(job.StageEncode); encodes != 2 {
		t.Errorf("%d encodes, want 2", encodes)
	}
}

// corrupt changes a byte of every object below prefix, and leaves its digest as it was.
func (r *rig) corrupt(t *testing.T, prefix artifact.Key) {
	t.Helper()
	client, bucket := r.s3client(t), r.services.s3.Bucket
	for ref, err := range r.store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := r.store.Get(t.Context(), ref.Key)
		if err != nil {
			t.Fatal(err)
		}
		info, err := client.StatObject(t.Context(), bucket, string(ref.Key), minio.StatObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		body[len(body)-1] ^= 1
		_, err = client.PutObject(t.Context(), bucket, string(ref.Key), bytes.NewReader(body), int64(len(body)),
			minio.PutObjectOptions{UserMetadata: info.UserMetadata})
		if err != nil {
			t.Fatal(err)
		}
	}
}
