package objectstore

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/zkine/zkine/revision/archive"
)

// bucket keeps objects in an object store that speaks S3. Each goes in one request, with
// If-None-Match, which such a store takes for whole objects only.
type bucket struct {
	client         *minio.Core
	name, endpoint string
	prefix         string // empty, or with a slash at its end
}

const (
	// requestTimeout bounds a request: an object of some MiB, on a slow line.
	requestTimeout = 2 * time.Minute
	// requestTries is how often the client sends a request that a server was too busy
	// for. What fails then is tried again in the next round.
	requestTries = 3
)

// openS3 reads s3://bucket/prefix?endpoint=https://host:port&region=R&credentials-file=F&ca-file=F.
// It asks for nothing yet.
func openS3(u *url.URL) (archive.Store, error) {
	query := u.Query()
	for key := range query {
		switch key {
		case "endpoint", "region", "credentials-file", "profile", "ca-file":
		default:
			return nil, fmt.Errorf("%q is no setting of an S3 archive; there are endpoint, region, credentials-file, profile and ca-file", key)
		}
	}
	b := &bucket{name: u.Host, endpoint: query.Get("endpoint"), prefix: strings.Trim(u.Path, "/")}
	if b.name == "" {
		return nil, errors.New("no bucket is named")
	}
	if b.prefix != "" {
		b.prefix += "/"
	}
	if b.endpoint == "" {
		b.endpoint = "https://s3.amazonaws.com"
	}
	at, err := url.Parse(b.endpoint)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || strings.Trim(at.Path, "/") != "" || at.User != nil {
		return nil, errors.New("the endpoint is not like https://host:port")
	}
	transport, err := newTransport(query.Get("ca-file"))
	if err != nil {
		return nil, err
	}
	client, err := minio.New(at.Host, &minio.Options{
		Creds: credentialsOf(query.Get("credentials-file"), query.Get("profile")), Secure: at.Scheme == "https",
		Region: query.Get("region"), Transport: transport, MaxRetries: requestTries,
	})
	if err != nil {
		return nil, err
	}
	b.client = &minio.Core{Client: client}
	return b, nil
}

// credentialsOf are those of a file, of the environment (AWS_ACCESS_KEY_ID and so on), or
// of the machine's role. A file is read again once a minute.
func credentialsOf(file, profile string) *credentials.Credentials {
	if file != "" {
		return credentials.New(&rereadFile{FileAWSCredentials: credentials.FileAWSCredentials{Filename: file, Profile: profile}})
	}
	return credentials.NewChainCredentials([]credentials.Provider{
		&credentials.EnvAWS{}, &credentials.FileAWSCredentials{Profile: profile}, &credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}},
	})
}

// rereadFile is a file of credentials that may be replaced.
type rereadFile struct {
	credentials.FileAWSCredentials
	read time.Time
}

// RetrieveWithCredContext implements credentials.Provider.
func (f *rereadFile) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return f.Retrieve()
}

// Retrieve implements credentials.Provider.
func (f *rereadFile) Retrieve() (credentials.Value, error) {
	f.read = time.Now()
	v, err := f.FileAWSCredentials.RetrieveWithCredContext(nil)
	if err != nil {
		return v, fmt.Errorf("credentials file %s: %w", f.Filename, err)
	}
	return v, nil
}

// IsExpired implements credentials.Provider.
func (f *rereadFile) IsExpired() bool { return time.Since(f.read) > time.Minute }

func newTransport(caFile string) (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if caFile == "" {
		return transport, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("ca-file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca-file %s has no certificate", caFile)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// String implements archive.Store.
func (b *bucket) String() string {
	return "bucket " + strings.TrimSuffix(b.name+"/"+b.prefix, "/") + " at " + b.endpoint
}

// Put implements archive.Store.
func (b *bucket) Put(ctx context.Context, name string, data []byte) error {
	if !validName(name) {
		return fmt.Errorf("%w: %q", errName, name)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	options := minio.PutObjectOptions{DisableMultipart: true, ContentType: "application/octet-stream"}
	options.SetMatchETagExcept("*")
	_, err := b.client.Client.PutObject(ctx, b.name, b.prefix+name, bytes.NewReader(data), int64(len(data)), options)
	return b.explain(name, err)
}

// Get implements archive.Store.
func (b *bucket) Get(ctx context.Context, name string, most int64) ([]byte, error) {
	if !validName(name) {
		return nil, fmt.Errorf("%w: %q", errName, name)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	body, info, _, err := b.client.GetObject(ctx, b.name, b.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, b.explain(name, err)
	}
	defer body.Close()
	if info.Size > most {
		return nil, fmt.Errorf("%w: %s has %d bytes", archive.ErrTooLarge, name, info.Size)
	}
	data, err := io.ReadAll(io.LimitReader(body, most))
	return data, b.explain(name, err)
}

// List implements archive.Store.
func (b *bucket) List(ctx context.Context, prefix string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for object := range b.client.ListObjectsIter(ctx, b.name, minio.ListObjectsOptions{Prefix: b.prefix + prefix, Recursive: true}) {
			if object.Err != nil {
				yield(archive.Object{}, b.explain(prefix, object.Err))
				return
			}
			if strings.HasSuffix(object.Key, "/") {
				continue // a folder that someone has made
			}
			if !yield(archive.Object{Name: strings.TrimPrefix(object.Key, b.prefix), Size: object.Size}, nil) {
				return
			}
		}
	}
}

// Remove implements archive.Store.
func (b *bucket) Remove(ctx context.Context, name string) error {
	if !validName(name) {
		return fmt.Errorf("%w: %q", errName, name)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := b.explain(name, b.client.RemoveObject(ctx, b.name, b.prefix+name, minio.RemoveObjectOptions{}))
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	return err
}

// explain says in one line what an error of the store's means; nil for nil.
func (b *bucket) explain(name string, err error) error {
	if err == nil {
		return nil
	}
	answer := minio.ToErrorResponse(err)
	switch {
	case answer.Code == "PreconditionFailed" || answer.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s", archive.ErrExists, name)
	case answer.Code == "NoSuchKey":
		return fmt.Errorf("%w: %s in %v", archive.ErrNotFound, name, b)
	case answer.Code == "NoSuchBucket":
		return fmt.Errorf("%v: there is no such bucket: create it, zkine does not", b)
	case answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%v refuses (%s, %d): give these credentials the right to list the bucket, and to get, put and delete objects in it", b, answer.Code, answer.StatusCode)
	case answer.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%v is not available (%s, %d)", b, answer.Code, answer.StatusCode)
	case answer.StatusCode != 0:
		return fmt.Errorf("%v answers %d (%s: %s)", b, answer.StatusCode, answer.Code, oneLine(answer.Message))
	}
	return fmt.Errorf("%v: %w", b, plain{err})
}

// plain shows an error in one line.
type plain struct{ error }

func (p plain) Error() string { return oneLine(p.error.Error()) }
func (p plain) Unwrap() error { return p.error }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
