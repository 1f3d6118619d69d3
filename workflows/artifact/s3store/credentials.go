package s3store

import (
	"errors"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// metadataLimit bounds one question to the service that gives a machine its
// role: where there is none, nobody answers.
const metadataLimit = 3 * time.Second

// ErrNoCredentials says that no source of credentials has any.
var ErrNoCredentials = errors.New("no credentials for S3: set s3.access_key and s3.secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials, or run where a role is given")

// credentialsOf are the keys of c; without them those of AWS's variables, of its
// shared files (AWS_PROFILE), of a web identity, container or instance role, in
// this order. What a role gives is renewed before it expires.
func credentialsOf(c Config) *credentials.Credentials {
	if c.AccessKey != "" {
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.Session)
	}
	return credentials.New(&found{credentials.Chain{Providers: []credentials.Provider{
		&credentials.EnvAWS{},
		&credentials.FileAWSCredentials{},
		&credentials.IAM{Client: &http.Client{Timeout: metadataLimit}, Region: c.Region},
	}}})
}

// found is a chain that does not fall back to anonymous requests: their refusal
// would say nothing of what is missing.
type found struct{ credentials.Chain }

// Retrieve implements credentials.Provider.
func (f *found) Retrieve() (credentials.Value, error) { return f.RetrieveWithCredContext(nil) }

// RetrieveWithCredContext implements credentials.Provider.
func (f *found) RetrieveWithCredContext(cc *credentials.CredContext) (credentials.Value, error) {
	value, err := f.Chain.RetrieveWithCredContext(cc)
	if err == nil && value.AccessKeyID == "" {
		err = ErrNoCredentials
	}
	return value, err
}
