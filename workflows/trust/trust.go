// Package trust says whom a program believes to be a server, and as whom it
// comes itself: files of certificates go in, a TLS configuration comes out.
//
// The configurations of Temporal, NATS and S3 hold a Files each. It imports
// nothing of ours.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// Files are PEM files, and what goes with them. The zero value trusts the
// system's authorities and shows no certificate.
type Files struct {
	Enabled    bool   `json:"enabled,omitempty"`     // TLS even where no file asks for it
	CA         string `json:"ca_file,omitempty"`     // authorities to trust instead of the system's
	Cert       string `json:"cert_file,omitempty"`   // certificate to show; goes with Key
	Key        string `json:"key_file,omitempty"`    // private key of Cert
	ServerName string `json:"server_name,omitempty"` // name the server's certificate must have, where it is not the address's
}

// Wanted says whether anything here asks for TLS.
func (f Files) Wanted() bool { return f != Files{} }

// Validate names a file that lacks its other half; under is the path of f itself: nats.tls.
func (f Files) Validate(under string) error {
	switch {
	case f.Cert != "" && f.Key == "":
		return fmt.Errorf("%s.key_file is missing: %s.cert_file needs its private key", under, under)
	case f.Key != "" && f.Cert == "":
		return fmt.Errorf("%s.cert_file is missing: %s.key_file needs its certificate", under, under)
	}
	return nil
}

// Config reads the files. Its errors name the field: nats.tls.ca_file. A
// certificate that is replaced on disk is shown from the next connection on.
func (f Files) Config(under string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: f.ServerName}
	if f.CA != "" {
		pem, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", under, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %s holds no certificate in PEM", under, f.CA)
		}
	}
	if f.Cert == "" {
		return c, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file and key_file: %w", under, err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return c, nil
}
