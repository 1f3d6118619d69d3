package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// Kind is what an artifact is.
type Kind string

// Kinds of artifacts, in the order in which they are made of each other.
const (
	KindClip   Kind = "clip"
	KindTokens Kind = "tokens"
	KindKept   Kind = "kept"
	KindAnswer Kind = "answer"
)

// Artifacts is the prefix of everything that is derived from a video.
const Artifacts Key = "v1/"

// Digest is the recipe digest: SHA-256 over v's JSON, 32 hex digits. Recipes are
// structs (fields in order) of strings, numbers and bools, so that it is stable.
func Digest(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("recipe %T does not marshal: %v", v, err)) // a recipe is ours, never input
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Clip is the key of a source's decoded frames under a recipe: sampling, size,
// resize, colour and decoder build.
func Clip(source string, recipe any) Key {
	return derived(source, KindClip, Digest(recipe), "safetensors")
}

// Tokens is the key of a clip's encoder tokens under a recipe: encoder digest, provider, precision.
func Tokens(clip Key, recipe any) Key {
	return derived(sourceOf(clip), KindTokens, Digest([]any{clip, recipe}), "safetensors")
}

// Kept is the key of the pruned tokens under a recipe: query text digest and policy.
func Kept(tokens Key, recipe any) Key {
	return derived(sourceOf(tokens), KindKept, Digest([]any{tokens, recipe}), "safetensors")
}

// Answer is the key of the reply under a recipe: model, prompt digest, generation.
func Answer(kept Key, recipe any) Key {
	return derived(sourceOf(kept), KindAnswer, Digest([]any{kept, recipe}), "json")
}

// Hash is a key as one token of a NATS subject: 32 hex digits.
func (k Key) Hash() string {
	sum := sha256.Sum256([]byte(k))
	return hex.EncodeToString(sum[:16])
}

// OfSource is the prefix of everything that is derived from one video.
func OfSource(source string) Key { return Artifacts + Key(source) + "/" }

// Mark is the key of the object that tells when artifacts of a kind were last used.
func Mark(source string, kind Kind) Key {
	return Key(path.Join(string(OfSource(source)), string(kind), "used"))
}

// Derived is the source and the kind of an artifact, or of its mark.
func (k Key) Derived() (source string, kind Kind, ok bool) {
	rest, ok := strings.CutPrefix(string(k), string(Artifacts))
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return "", "", false
	}
	return parts[0], Kind(parts[1]), true
}

func derived(source string, kind Kind, digest, ext string) Key {
	return Key(path.Join(string(OfSource(source)), string(kind), digest+"."+ext))
}

// sourceOf is the second element of v1/<source>/<kind>/<digest>.
func sourceOf(k Key) string {
	return path.Base(path.Dir(path.Dir(string(k))))
}
