package bundle

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSentencePieceRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	model := string(readTestdata(t, filepath.Join("families", ModelFile)))
	tests := []struct{ extra, want string }{ // a later field overrides an earlier one
		{"\x12\x02\x18\x01", "trainer_spec.model_type 1 is not supported"},
		{"\x12\x03\xc0\x01\x01", "treat_whitespace_as_suffix is not supported"},
		{"\x12\x03\x98\x02\x00", "without byte_fallback is not supported"},
		{"\x1a\x02\x28\x00", "without escape_whitespaces is not supported"},
		{"\x1a\x03\x12\x01x", "precompiled_charsmap is not supported"},
		{"\x2a\x03\x12\x01x", "denormalizer_spec is not supported"},
		{"\x0a\x06\x0a\x02ab\x18\x04", `piece 2600 "ab": type 4 is not supported`},
		{"\x0a\x04\x0a\x02a\xff", "piece 2600"},
		{"\x0a\x7f", "unexpected EOF"},
	}
	for _, test := range tests {
		_, err := readSentencePiece([]byte(model + test.extra))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), ModelFile+": ") {
			t.Errorf("%q: error %v, want one with %q", test.extra, err, test.want)
		}
	}
	if _, err := readSentencePiece(nil); err == nil {
		t.Error("an empty file was accepted")
	}
}
