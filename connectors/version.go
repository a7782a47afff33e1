package connectors

// Version is the version of Kafka whose plugins those built in are like, and the version that they give as theirs.
const Version = "4.3.1"
