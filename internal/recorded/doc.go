// Package recorded holds tests to what an earlier build has written: frames, records and answers that lie in files, as bytes, beside the tests of
// the package that reads them.
//
// Each file is testdata/v<version>/<name>.hex, of the version of frames that wrote it. A test names the value that the bytes mean: they are
// read as that, and that is written as them.
//
// A kind of message that is new gets its file by
//
//	go test -run Recorded ./task -record
//
// which writes the files that are missing and never one that is there: a recording that does not fit any more means that nodes of the same version
// would not understand each other. Who changes what is written raises bus.FrameVersion, and records that version beside the ones before it, which
// stay: for each of them the package's test says whether it is read still, or refused with bus.ErrVersion.
package recorded
