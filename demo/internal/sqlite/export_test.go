package sqlite

// Readers is the number of connections that read at the same time.
const Readers = readers
