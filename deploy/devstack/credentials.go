package main

import (
	"crypto/rand"
	"fmt"
)

// secrets are what clients show to NATS and S3. They are made at random, one set per state folder.
type secrets struct {
	V    int     `json:"v"`
	NATS natsKey `json:"nats"`
	S3   s3Key   `json:"s3"`
}

type natsKey struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

type s3Key struct {
	Access string `json:"access_key"`
	Secret string `json:"secret_key"`
}

const credentialsFile = "credentials.json"

// loadCredentials returns the folder's credentials and makes them on the first start.
func loadCredentials(f *folder) (secrets, error) {
	var c secrets
	found, err := f.readJSON(credentialsFile, &c)
	if err != nil {
		return c, err
	}
	if !found {
		c = newCredentials()
		return c, f.writeJSON(credentialsFile, c)
	}
	if c.V != 1 || c.NATS.User == "" || c.NATS.Password == "" || c.S3.Access == "" || c.S3.Secret == "" {
		return c, fmt.Errorf("%s is incomplete or of an unknown version: remove it, and a new one is made", f.file(credentialsFile))
	}
	return c, nil
}

// newCredentials draws every secret from the system's random source, 130 bits each at least.
func newCredentials() secrets {
	return secrets{
		V:    1,
		NATS: natsKey{User: "winnow", Password: rand.Text()},
		S3:   s3Key{Access: "WINNOW" + rand.Text()[:14], Secret: rand.Text() + rand.Text()},
	}
}
