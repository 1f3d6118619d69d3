// Package decode makes a clip of a video: the frames that a sampling asks for,
// upright, in RGB, resized for a vision encoder, with their times.
//
// In goes a wire.Request and a socket on which the parent answers byte ranges,
// out comes a safetensors file. It runs in a process of its own, winnow-decode,
// since it parses hostile bytes with a C library; package child starts and
// guards that process, package wire has the protocol.
//
// The way of a frame:
//
//	source.go    byte ranges as FFmpeg's custom IO
//	input.go     open the container, check limits, pick the video stream
//	timeline.go  every frame's time: from the container (moov.go, matroska.go), from the packets, or
//	             by decoding where neither tells
//	sample.go    which of them are wanted; scene.go looks for cuts
//	pictures.go  decode in order; picker.go takes exactly those, hop.go skips what lies between
//	hardware.go  on a device, where one is asked for and can
//	fit.go       as the request wants them; rgb.go turns them
//	clip.go      the safetensors file
//
// A frame is what a player would show: frames that an edit list hides do not
// count, and variable frame rates keep their times.
package decode
