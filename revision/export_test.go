package revision

// PathOf tells tests which znode an operation is about.
var PathOf = pathOf
