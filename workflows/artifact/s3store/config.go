package s3store

import (
	"fmt"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Config says where the bucket is. Every field but Secure is required.
type Config struct {
	Endpoint  string `json:"endpoint"` // host:port
	Region    string `json:"region"`
	Bucket    string `json:"bucket"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Secure    bool   `json:"secure"` // HTTPS
}

// Validate names the first field that is missing.
func (c Config) Validate() error {
	for _, f := range []struct{ name, value string }{
		{"endpoint", c.Endpoint}, {"region", c.Region}, {"bucket", c.Bucket},
		{"access_key", c.AccessKey}, {"secret_key", c.SecretKey},
	} {
		if f.value == "" {
			return fmt.Errorf("s3.%s is missing", f.name)
		}
	}
	return nil
}

// Client is a client of the server the bucket is on, with path-style
// addresses, for whoever reads other buckets there. It has connected to nothing yet.
func (c Config) Client() (*minio.Client, error) {
	client, err := minio.New(c.Endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:       c.Secure,
		Region:       c.Region,
		BucketLookup: minio.BucketLookupPath,
	})
	if err != nil {
		return nil, fmt.Errorf("s3.endpoint %q: %w", c.Endpoint, err)
	}
	return client, nil
}
