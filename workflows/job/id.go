package job

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ID names one run of a job: `<name>-<8 hex>.<n>`. The hex is the digest of
// spec, manifest and bundle; n counts the runs of that digest from 1.
type ID struct {
	Name   string
	Digest string
	N      int
}

var idPattern = regexp.MustCompile(`^([a-z0-9][a-z0-9_-]{0,62})-([0-9a-f]{8})\.([1-9][0-9]*)$`)

// ParseID reads what ID.String prints.
func ParseID(s string) (ID, error) {
	m := idPattern.FindStringSubmatch(s)
	if m == nil {
		return ID{}, fmt.Errorf("job id %q: want <name>-<8 hex>.<number>, as `winnow ls` prints it", s)
	}
	n, err := strconv.Atoi(m[3])
	if err != nil {
		return ID{}, fmt.Errorf("job id %q: %w", s, err)
	}
	return ID{Name: m[1], Digest: m[2], N: n}, nil
}

// String prints the id; Temporal workflow ids, S3 keys and event subjects hold it.
func (id ID) String() string {
	return fmt.Sprintf("%s-%s.%d", id.Name, id.Digest, id.N)
}

// Subject is the id with its dot replaced, as one token of a NATS subject.
func (id ID) Subject() string {
	return strings.ReplaceAll(id.String(), ".", "_")
}

// Next is the run after id.
func (id ID) Next() ID {
	id.N++
	return id
}
