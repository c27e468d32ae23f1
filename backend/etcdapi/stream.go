package etcdapi

import "context"

// stream reads a span by one call, as etcd has it since 3.7: it spares the source the
// look at all keys behind each page. whole says that it has read all; if not, left is
// to be read by pages: all of it from a source that does not know the call, the rest
// after any other error, which is found again if it lasts.
func (r *reading) stream(ctx context.Context, one span) (left span, whole bool) {
	if r.kind == Kine || r.keysOnly {
		return one, false
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parts, err := r.client.GetStream(ctx, one.key, r.options(one.end)...)
	if err != nil {
		return one, false
	}
	defer func() {
		cancel()
		for range parts { // until the goroutine that fills it has ended
		}
	}()
	for part := range parts {
		if part.Err() != nil {
			return one, false
		}
		if len(part.Kvs) > 0 {
			if r.send(ctx, part.Kvs) != nil {
				return one, false
			}
			one.key = after(part.Kvs)
		}
		whole = part.Header != nil && !part.More // only the last one has a header
	}
	return one, whole
}
