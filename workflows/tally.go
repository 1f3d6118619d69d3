package workflows

import "github.com/winnow-video/winnow/workflows/job"

// Tally counts how records ended and what the stages took.
type Tally struct {
	OK           int              `json:"ok"`
	Failed       int              `json:"failed"`
	Codes        map[job.Code]int `json:"codes,omitempty"` // of the failed
	Videos       int              `json:"videos"`
	Cached       Cached           `json:"cached,omitzero"`
	Timing       job.Timing       `json:"timing_ms"` // summed over videos; stages of different videos overlap
	BytesFetched int64            `json:"bytes_fetched"`
	DeviceUS     int64            `json:"device_us,omitempty"` // microseconds that winnow-infer's device ran
}

// Cached counts what an earlier run had made.
type Cached struct {
	Clips   int `json:"clips"`   // videos
	Tokens  int `json:"tokens"`  // videos
	Answers int `json:"answers"` // records
}

// Ended is the number of records counted.
func (t Tally) Ended() int { return t.OK + t.Failed }

// Count adds one record; code is empty where it is ok.
func (t *Tally) Count(code job.Code) {
	if code == "" {
		t.OK++
		return
	}
	t.Failed++
	if t.Codes == nil {
		t.Codes = map[job.Code]int{}
	}
	t.Codes[code]++
}

// Plus is the sum of both.
func (t Tally) Plus(o Tally) Tally {
	t = t.withCounts(t.OK+o.OK, t.Failed+o.Failed, sum(t.Codes, o.Codes))
	t.Videos += o.Videos
	t.Cached = t.Cached.plus(o.Cached)
	t.Timing = plusTiming(t.Timing, o.Timing)
	t.BytesFetched += o.BytesFetched
	t.DeviceUS += o.DeviceUS
	return t
}

func (t Tally) withCounts(ok, failed int, codes map[job.Code]int) Tally {
	t.OK, t.Failed, t.Codes = ok, failed, codes
	return t
}

func (c Cached) plus(o Cached) Cached {
	return Cached{Clips: c.Clips + o.Clips, Tokens: c.Tokens + o.Tokens, Answers: c.Answers + o.Answers}
}

func sum(a, b map[job.Code]int) map[job.Code]int {
	if len(a)+len(b) == 0 {
		return nil
	}
	total := map[job.Code]int{}
	for _, counts := range []map[job.Code]int{a, b} {
		//workflowcheck:ignore a sum does not depend on the order
		for code, n := range counts {
			total[code] += n
		}
	}
	return total
}

func plusTiming(a, b job.Timing) job.Timing {
	return job.Timing{
		Queue: a.Queue + b.Queue, Fetch: a.Fetch + b.Fetch, Decode: a.Decode + b.Decode,
		Encode: a.Encode + b.Encode, Prune: a.Prune + b.Prune, Answer: a.Answer + b.Answer,
		Total: a.Total + b.Total,
	}
}
