package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// readyFile is where others find the stack. It is there only while the stack answers, or after a kill: a reader compares pid
// and start_time with the process before it trusts the rest.
const readyFile = "devstack.json"

// announcement is the content of the ready file.
type announcement struct {
	V          int               `json:"v"`
	PID        int               `json:"pid"`
	StartTime  string            `json:"start_time"` // clock ticks from boot to the process's start
	Version    string            `json:"version"`
	Temporal   announcedTemporal `json:"temporal"`
	TemporalUI string            `json:"temporal_ui"`
	NATS       announcedNATS     `json:"nats"`
	S3         announcedS3       `json:"s3"`
}

type announcedTemporal struct {
	Address   string `json:"address"`
	Namespace string `json:"namespace"`
}

type announcedNATS struct {
	URL string `json:"url"`
	natsKey
}

type announcedS3 struct {
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	Bucket   string `json:"bucket"`
	s3Key
	Secure bool `json:"secure"`
}

// announce describes this process's stack.
func announce(p ports, c secrets) (announcement, error) {
	started, err := startTime()
	if err != nil {
		return announcement{}, err
	}
	return announcement{
		V:          1,
		PID:        os.Getpid(),
		StartTime:  started,
		Version:    version(),
		Temporal:   announcedTemporal{Address: address(p.Temporal), Namespace: namespace},
		TemporalUI: "http://" + address(p.TemporalUI),
		NATS:       announcedNATS{URL: natsURL(p.NATS), natsKey: c.NATS},
		S3:         announcedS3{Endpoint: address(p.S3), Region: s3Region, Bucket: s3Bucket, s3Key: c.S3},
	}, nil
}

// line is what a person reads on standard output. It holds no secret.
func (a announcement) line(f *folder) string {
	return fmt.Sprintf("ready temporal=%s ui=%s nats=%s s3=http://%s details=%s",
		a.Temporal.Address, a.TemporalUI, a.NATS.URL, a.S3.Endpoint, f.file(readyFile))
}

// startTime is field 22 of /proc/self/stat. With the pid it names a process for good; a pid alone is used again.
func startTime() (string, error) {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "", fmt.Errorf("start time of this process: %w", err)
	}
	// Field 2, the program's name in brackets, may hold spaces and brackets; field 3 comes after the last bracket.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", errors.New("start time of this process: /proc/self/stat is shorter than 22 fields")
	}
	return string(fields[19]), nil
}
