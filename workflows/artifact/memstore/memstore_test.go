package memstore_test

import (
	"testing"

	"github.com/winnow-video/winnow/workflows/artifact"
	"github.com/winnow-video/winnow/workflows/artifact/memstore"
	"github.com/winnow-video/winnow/workflows/artifact/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) storetest.Subject {
		store := memstore.New()
		damage := func(_ *testing.T, key artifact.Key, body []byte) { store.Damage(key, body) }
		return storetest.Subject{Store: store, Damage: damage}
	})
}
