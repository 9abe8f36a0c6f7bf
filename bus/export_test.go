package bus

// ElsewhereNumbersLieOtherwise has this process read and write numbers as a platform does that is not little-endian, until the returned
// function is called.
func ElsewhereNumbersLieOtherwise() (restore func()) {
	was := littleEndian
	littleEndian = false
	return func() { littleEndian = was }
}

// LeastStructs is from how many bytes on a slice of structs is stored as it is.
const LeastStructs = leastStructs
