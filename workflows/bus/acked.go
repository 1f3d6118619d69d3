package bus

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/winnow-video/winnow/workflows/artifact"
)

// replaceAcked publishes a request anew if the stream still holds it although
// its consumer has had it acknowledged. The server writes the two apart: a full
// disk or a lost machine can keep the one and lose the other. Such a message is
// never delivered again, and would keep its subject taken for ever.
func (b *Bus) replaceAcked(ctx context.Context, class Class, out artifact.Key, text []byte) (queued bool, err error) {
	stream, err := b.js.Stream(ctx, InferStream)
	if err != nil {
		return false, err
	}
	m, err := stream.GetLastMsgForSubject(ctx, class.Subject(out))
	if errors.Is(err, jetstream.ErrMsgNotFound) { // ended meanwhile: the next look asks again
		return false, nil
	}
	if err != nil {
		return false, err
	}
	consumer, err := stream.Consumer(ctx, class.Durable())
	if err != nil || m.Sequence > consumer.CachedInfo().AckFloor.Stream {
		return false, err
	}
	if err := stream.DeleteMsg(ctx, m.Sequence); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, err
	}
	err = b.offer(ctx, class, out, text)
	if isQueued(err) {
		return false, nil
	}
	return err == nil, err
}
