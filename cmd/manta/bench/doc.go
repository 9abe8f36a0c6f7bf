// Package bench measures Manta beside plain NATS, or beside goroutines where tasks only sleep, in one process run.
//
// A [Measure] names what it measures, the unit, and the measure it is compared with. Every round runs each measure right
// behind its baseline, on servers, connections and nodes of its own ([Stage]), so that what else the machine does meets
// both. What counts is the ratio of the two, of which [Run] reports the median over the rounds; absolute numbers belong
// to one machine on one day.
//
// To add a measure, write it into the file of its family, or into a new file whose list joins families in measure.go.
package bench
