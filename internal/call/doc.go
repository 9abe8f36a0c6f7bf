// Package call is the one invocation that tasks and actors share: what is called ([Target]), what is passed ([Arg]), the
// call at its owner from submission to outcome ([Call]), its form on the wire, and its run where it is served ([Run]).
//
// Packages task and actor differ in how a call finds its way; everything before and after that way is here.
package call
