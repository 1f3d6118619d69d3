package stack

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/winnow-video/winnow/workflows/artifact/s3store"
	"github.com/winnow-video/winnow/workflows/trust"
)

// setting is one thing to say about services outside. It has three spellings:
// a path in the file, temporal.tls.ca_file, of which those of the environment,
// WINNOW_TEMPORAL_TLS_CA_FILE, and of the flag, --temporal-tls-ca-file, are made.
type setting struct {
	key    string
	help   string
	secret bool // no flag: command lines are seen by everybody
	set    func(s *Services, value string) error
}

func (s setting) variable() string {
	return "WINNOW_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

func (s setting) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(s.key)
}

// settings are all there is to say, in the order in which help tells it.
func settings() []setting {
	all := []setting{
		{"temporal.address", "host:port of Temporal's frontend", false, text(func(s *Services) *string { return &s.Temporal.Address })},
		{"temporal.namespace", "namespace, which must exist (default " + defaultNamespace + ")", false, text(func(s *Services) *string { return &s.Temporal.Namespace })},
		{"temporal.api_key", "API key; turns TLS on", true, text(func(s *Services) *string { return &s.Temporal.APIKey })},
		{"temporal.api_key_file", "file that holds the API key; read anew for every request", false, text(func(s *Services) *string { return &s.Temporal.APIKeyFile })},
	}
	all = append(all, tlsSettings("temporal", func(s *Services) *trust.Files { return &s.Temporal.TLS })...)
	all = append(all,
		setting{"nats.urls", "nats://host:port, or tls://host:port; several of a cluster separated by commas, or a list", false, text(func(s *Services) *string { return &s.NATS.URL })},
		setting{"nats.user", "user", false, text(func(s *Services) *string { return &s.NATS.User })},
		setting{"nats.password", "password of the user", true, text(func(s *Services) *string { return &s.NATS.Password })},
		setting{"nats.creds_file", "credentials file (JWT and seed), in place of user and password", false, text(func(s *Services) *string { return &s.NATS.CredsFile })},
		setting{"nats.replicas", "replicas of streams and buckets that do not exist yet (default 1)", false, number(func(s *Services) *int { return &s.NATS.Replicas })},
	)
	all = append(all, tlsSettings("nats", func(s *Services) *trust.Files { return &s.NATS.TLS })...)
	all = append(all,
		setting{"s3.endpoint", "https://host, or http://host:port", false, endpoint},
		setting{"s3.region", "region (default " + defaultRegion + ")", false, text(func(s *Services) *string { return &s.S3.Region })},
		setting{"s3.bucket", "bucket, which must exist", false, text(func(s *Services) *string { return &s.S3.Bucket })},
		setting{"s3.addressing", "path (path style), virtual, or auto, which is virtual at Amazon's, Google's and Aliyun's (default auto)", false, text(func(s *Services) *s3store.Addressing { return &s.S3.Addressing })},
		setting{"s3.access_key", "access key; without one, AWS's variables, shared files and roles are asked", true, text(func(s *Services) *string { return &s.S3.AccessKey })},
		setting{"s3.secret_key", "secret key", true, text(func(s *Services) *string { return &s.S3.SecretKey })},
		setting{"s3.session_token", "session token of temporary keys", true, text(func(s *Services) *string { return &s.S3.Session })},
	)
	return append(all, tlsSettings("s3", func(s *Services) *trust.Files { return &s.S3.TLS })[1:]...) // its endpoint says whether TLS is on
}

func tlsSettings(of string, files func(*Services) *trust.Files) []setting {
	return []setting{
		{of + ".tls.enabled", "TLS by the system's authorities; any other tls key turns it on as well", false, flag(func(s *Services) *bool { return &files(s).Enabled })},
		{of + ".tls.ca_file", "PEM file of authorities to trust instead of the system's", false, text(func(s *Services) *string { return &files(s).CA })},
		{of + ".tls.cert_file", "PEM file of a certificate to show", false, text(func(s *Services) *string { return &files(s).Cert })},
		{of + ".tls.key_file", "PEM file of its private key", false, text(func(s *Services) *string { return &files(s).Key })},
		{of + ".tls.server_name", "name in the server's certificate, where it is not the address's", false, text(func(s *Services) *string { return &files(s).ServerName })},
	}
}

// The defaults of services outside.
const (
	defaultNamespace = "default"
	defaultRegion    = "us-east-1"
)

func text[T ~string](field func(*Services) *T) func(*Services, string) error {
	return func(s *Services, value string) error {
		*field(s) = T(value)
		return nil
	}
}

func number(field func(*Services) *int) func(*Services, string) error {
	return func(s *Services, value string) (err error) {
		if *field(s), err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("%q: want a number", value)
		}
		return nil
	}
}

func flag(field func(*Services) *bool) func(*Services, string) error {
	return func(s *Services, value string) (err error) {
		if *field(s), err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("%q: want true or false", value)
		}
		return nil
	}
}

// endpoint takes S3's address apart: its scheme says whether to speak TLS. What
// is wrong is not shown, since it may hold a password.
func endpoint(s *Services, value string) error {
	u, err := url.Parse(value)
	switch {
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https", strings.Trim(u.Path, "/") != "", u.RawQuery != "":
		return errors.New("want https://host or http://host:port, without a bucket")
	case u.User != nil:
		return errors.New("leave credentials out of it, and set s3.access_key and s3.secret_key")
	}
	s.S3.Endpoint, s.S3.Secure = u.Host, u.Scheme == "https"
	return nil
}
