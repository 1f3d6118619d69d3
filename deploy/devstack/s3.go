package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

const (
	s3Region = "us-east-1"
	s3Bucket = "winnow"
)

// s3Server is a running S3 server. Only one may run in a process.
type s3Server struct {
	stop   context.CancelFunc
	failed chan error // closed at its end; holds the reason, unless it was stop
}

// startS3 serves the folder's objects: plain files under s3/, one folder a bucket. It changes the process's working directory.
func startS3(f *folder, port int, key s3Key) (*s3Server, error) {
	backend, err := openObjects(f)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &s3Server{stop: cancel, failed: make(chan error, 1)}
	go func() {
		defer close(s.failed)
		err := embedgw.RunVersityGW(ctx, backend, s3Config(port, key))
		if ctx.Err() == nil {
			s.failed <- fmt.Errorf("s3, on %s, ended: %v", address(port), err)
		}
	}()
	return s, nil
}

// close stops the server and gives requests under way a moment to end. It does not wait for a client that keeps a download open:
// what is stored appears whole or not at all.
func (s *s3Server) close() {
	s.stop()
	select {
	case <-s.failed:
	case <-time.After(3 * time.Second):
	}
}

func s3Config(port int, key s3Key) *embedgw.Config {
	return &embedgw.Config{
		RootUserAccess:    key.Access,
		RootUserSecret:    key.Secret,
		Region:            s3Region,
		Ports:             []string{address(port)},
		MaxConnections:    4096,
		MaxRequests:       2048,
		MultipartMaxParts: 10000,
		KeepAlive:         true,
		Quiet:             true,
		IAMService:        soleAccount{},
	}
}

// soleAccount knows nobody but the root account, which the server checks by itself.
type soleAccount struct{ auth.IAMServiceSingle }

func (soleAccount) GetUserAccount(string) (auth.Account, error) {
	return auth.Account{}, auth.ErrNoSuchUser
}

// openObjects opens the folder of objects. Their metadata are extended attributes or, on a filesystem without those, files under
// metadata/; what was used first is used ever after.
func openObjects(f *folder) (*posix.Posix, error) {
	root, sidecar := f.file("s3"), f.file("metadata")
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	opts := posix.PosixOpts{
		CopyObjectThreshold: 5 << 30,
		ForceNoObjLockFile:  true, // the state folder is locked: no other process writes here
		DataIntegrityEtag:   true, // of the checksum that is taken anyway, and not of another MD5
	}
	opts.SetNewDirPerm(0o700)
	opts.SetNewFilePerm(0o600)
	_, err := os.Stat(sidecar)
	if errors.Is(err, fs.ErrNotExist) && (meta.XattrMeta{}).Test(root) == nil {
		return posix.New(root, meta.XattrMeta{}, opts)
	}
	if err := os.MkdirAll(sidecar, 0o700); err != nil {
		return nil, err
	}
	store, err := meta.NewSideCar(sidecar)
	if err != nil {
		return nil, err
	}
	opts.SideCarDir = sidecar
	return posix.New(root, store, opts)
}
