package audit

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Access is one request that storage has ended.
type Access struct {
	Addr   string // who asked
	Method string
	Bucket string
	Key    string
	Status int
}

// operations of the log that are looked at, by what they end with.
var operations = map[string]string{"PutObject": http.MethodPut, "GetObject": http.MethodGet, "HeadObject": http.MethodHead}

// fields of a line: owner, bucket, time in two, address, requester, request id,
// operation, key, URI, status, and more.
const leastFields = 11

// ReadAccessLog reads versitygw's log, in the order in which requests ended.
// What is no request for an object is left out.
func ReadAccessLog(r io.Reader) ([]Access, error) {
	var all []Access
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), " ")
		if len(f) < leastFields || !strings.HasPrefix(f[2], "[") {
			continue
		}
		_, operation, _ := strings.Cut(f[7], "_")
		method := operations[operation]
		if method == "" {
			continue
		}
		status, err := strconv.Atoi(f[10])
		if err != nil {
			return nil, fmt.Errorf("access log: %q: %w", lines.Text(), err)
		}
		all = append(all, Access{Addr: f[4], Method: method, Bucket: f[1], Key: f[8], Status: status})
	}
	return all, lines.Err()
}
