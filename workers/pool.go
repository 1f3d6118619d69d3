package workers

import (
	"github.com/winnow-video/winnow/infer/bundle"
	"github.com/winnow-video/winnow/infer/tensor"
	"github.com/winnow-video/winnow/prune"
)

// poolBy makes the tokens that are selected from of the tower's, which stay
// beside them, where the model pools behind its projector; nil is where not.
func (c *clip) poolBy(pool *bundle.PoolAfter) (err error) {
	if pool == nil {
		return nil
	}
	c.pool, c.tower = pool, c.tokens
	c.tokens, err = pool.Pool(c.tower)
	return err
}

// gather is the rows that the projector has to read for a selection: the kept
// tokens, without a mixture, or the tower's that they are made of, with one.
func (c *clip) gather(s *prune.Selection) (tensor.Dense[tensor.Float16], *bundle.Mixture, error) {
	if c.pool == nil {
		tokens, err := prune.Gather(c.tokens, s)
		return tokens, nil, err
	}
	kept := make([][]bundle.Source, len(s.Kept))
	for i, k := range s.Kept {
		for _, source := range k.Sources {
			kept[i] = append(kept[i], bundle.Source(source))
		}
	}
	return c.pool.Mix(c.tower, kept)
}
