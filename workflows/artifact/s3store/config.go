package s3store

import (
	"fmt"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/winnow-video/winnow/workflows/trust"
)

// Config says where the bucket is, and who asks. Endpoint, Region and Bucket are required.
type Config struct {
	Endpoint   string      `json:"endpoint"` // host:port, or a host alone
	Region     string      `json:"region"`
	Bucket     string      `json:"bucket"`
	AccessKey  string      `json:"access_key"` // with SecretKey; without both see credentialsOf
	SecretKey  string      `json:"secret_key"`
	Session    string      `json:"session_token,omitempty"` // of temporary keys
	Secure     bool        `json:"secure"`                  // HTTPS
	Addressing Addressing  `json:"addressing,omitempty"`
	TLS        trust.Files `json:"tls,omitzero"` // of HTTPS
}

// Addressing is where a request names the bucket.
type Addressing string

// The addressings.
const (
	AddressAuto    Addressing = "auto"    // virtual at Amazon's, Google's and Aliyun's, else path; the default
	AddressPath    Addressing = "path"    // path style: https://host/bucket/key
	AddressVirtual Addressing = "virtual" // https://bucket.host/key
)

func (a Addressing) lookup() (minio.BucketLookupType, error) {
	switch a {
	case AddressAuto, "":
		return minio.BucketLookupAuto, nil
	case AddressPath:
		return minio.BucketLookupPath, nil
	case AddressVirtual:
		return minio.BucketLookupDNS, nil
	}
	return 0, fmt.Errorf("s3.addressing: %q: want auto, path or virtual", a)
}

// Validate names the first field that cannot be.
func (c Config) Validate() error {
	for _, f := range []struct{ name, value string }{
		{"endpoint", c.Endpoint}, {"region", c.Region}, {"bucket", c.Bucket},
	} {
		if f.value == "" {
			return fmt.Errorf("s3.%s is missing", f.name)
		}
	}
	switch {
	case strings.ContainsAny(c.Endpoint, "/@?"):
		return fmt.Errorf("s3.endpoint %q: want a host, with a port where it is not the usual one", afterLast(c.Endpoint, "@"))
	case c.AccessKey == "" && c.SecretKey != "":
		return fmt.Errorf("s3.access_key is missing: s3.secret_key goes with it")
	case c.AccessKey != "" && c.SecretKey == "":
		return fmt.Errorf("s3.secret_key is missing: s3.access_key goes with it")
	case !c.Secure && c.TLS.Wanted():
		return fmt.Errorf("s3.tls is set, but s3.endpoint is not https://")
	}
	if _, err := c.Addressing.lookup(); err != nil {
		return err
	}
	return c.TLS.Validate("s3.tls")
}

// afterLast is what may be shown of an address that may hold a password.
func afterLast(s, sep string) string { return s[strings.LastIndex(s, sep)+1:] }

// URL is the server's address.
func (c Config) URL() string {
	if c.Secure {
		return "https://" + c.Endpoint
	}
	return "http://" + c.Endpoint
}

// Options are what to open a client of the server with, for callers that change some.
func (c Config) Options() (*minio.Options, error) {
	lookup, err := c.Addressing.lookup()
	if err != nil {
		return nil, err
	}
	transport, err := minio.DefaultTransport(c.Secure)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	if c.TLS.Wanted() {
		if transport.TLSClientConfig, err = c.TLS.Config("s3.tls"); err != nil {
			return nil, err
		}
	}
	return &minio.Options{
		Creds: credentialsOf(c), Secure: c.Secure, Region: c.Region, BucketLookup: lookup, Transport: transport,
	}, nil
}

// Client is a client of the server the bucket is on, for whoever reads other
// buckets there. It has connected to nothing yet.
func (c Config) Client() (*minio.Client, error) {
	options, err := c.Options()
	if err != nil {
		return nil, err
	}
	return c.open(options)
}

func (c Config) open(options *minio.Options) (*minio.Client, error) {
	client, err := minio.New(c.Endpoint, options)
	if err != nil {
		return nil, fmt.Errorf("s3.endpoint %q: %w", c.Endpoint, err)
	}
	return client, nil
}
