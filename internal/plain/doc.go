// Package plain is the form of requests and replies for NATS clients that know nothing of Manta: the payload is the argument, as JSON, or as
// MessagePack if the Content-Type header says so, and the reply is encoded alike. There is nothing for no argument, an array of two for two. An
// error comes in headers, in words and as a code.
//
// Packages task and actor have their doors for plain clients, and bring a request to what it asks for; [Desk] takes it on and answers it. [Service]
// describes the node's endpoints as those of a NATS service. [Ask] and [Answered] are the client's end, for Go programs that may do no more than a
// plain client. PROTOCOL.md is the contract.
package plain
