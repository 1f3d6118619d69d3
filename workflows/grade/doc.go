// Package grade turns a job's records into figures: the share of right answers
// of every variant with an interval, the difference between variants on the
// same questions, and how far confidences can be trusted.
//
// Records go in one by one (Sheet.Add), a Report or a Calibration comes out. It
// knows records (workflows/job) and nothing of stores or jobs; `winnow eval`
// prints what it finds.
package grade
