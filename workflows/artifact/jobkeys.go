package artifact

import (
	"fmt"
	"path"
	"strings"
)

// JobFolder is the prefix of everything that belongs to a job.
func JobFolder(job string) Key { return Key("jobs/" + job + "/") }

// Videos is the prefix of users' videos that were sent to the store.
const Videos Key = "videos/"

// Video is the key of a user's video that was sent to the store: its content's
// SHA-256 in hex, and its name's extension, which tells a decoder what to expect.
func Video(sha256, ext string) Key { return Videos + Key(sha256+ext) }

// JobEntries is the prefix of the list of jobs: one small object each, so that
// listing jobs does not list all that belongs to them.
const JobEntries Key = "index/jobs/"

// JobEntry is the key of a job in that list. It is stored last: a job without
// it was never submitted.
func JobEntry(job string) Key { return JobEntries + Key(job) }

// JobFile is the key of one of a job's own files: job.yaml, manifest.jsonl,
// results.jsonl, errors.jsonl, summary.json, state.json.
func JobFile(job, name string) Key { return Key(path.Join("jobs", job, name)) }

// Page is the key of a page of the manifest: at most 500 items, JSON lines.
func Page(job string, page int) Key {
	return Key(path.Join("jobs", job, "pages", fmt.Sprintf("%06d.jsonl", page)))
}

// Part is the key of what says that lines were added to a job: parts count from 1.
func Part(job string, n int) Key {
	return Key(path.Join("jobs", job, "parts", fmt.Sprintf("%04d.json", n)))
}

// PartFile is the key of what a part of this digest is made of: its manifest.jsonl, as its
// author wrote it, and its pages.
func PartFile(job, digest, name string) Key {
	return Key(path.Join("jobs", job, "parts", digest, name))
}

// PageRecords is the key of a page's final records, written once per generation.
func PageRecords(job string, generation, page int) Key {
	return Key(path.Join("jobs", job, "records", fmt.Sprint(generation), fmt.Sprintf("%06d.jsonl", page)))
}

// Drafts is the prefix of what a job's Videos report.
func Drafts(job string) Key { return JobFolder(job) + "drafts/" }

// PageDrafts is the prefix of what the Videos of a page report.
func PageDrafts(job string, generation, page int) Key {
	return Drafts(job) + Key(fmt.Sprintf("%d/%06d/", generation, page))
}

// VideoRecords is the key of what one Video reports to its Page.
func VideoRecords(job string, generation, page, video int) Key {
	return PageDrafts(job, generation, page) + Key(fmt.Sprintf("%04d.jsonl", video))
}

// DraftOf is the key of the PageRecords that k, a VideoRecords, goes into.
func (k Key) DraftOf() Key {
	return Key(strings.Replace(path.Dir(string(k)), "/drafts/", "/records/", 1) + ".jsonl")
}
