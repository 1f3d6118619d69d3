package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	temporalconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	sqliteschema "go.temporal.io/server/schema/sqlite"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	databaseFile = "temporal.db"
	stampFile    = "temporal.version" // the server version whose schema the database has
	creating     = "creating "        // before the version: the schema is being written
	namespace    = "winnow"
	retention    = 7 * 24 * time.Hour // how long a closed workflow can be looked at
)

// openDatabase returns how to connect to the folder's Temporal database, which it makes if there is none. A database made
// by another server version, or by another program, is refused before a byte of it is touched: the SQLite schema has no
// migrations.
func openDatabase(f *folder) (*temporalconfig.SQL, error) {
	sql := connection(f.file(databaseFile))
	fresh, err := checkDatabase(f)
	if err != nil {
		return nil, err
	}
	if fresh {
		if err := createDatabase(f, sql); err != nil {
			return nil, fmt.Errorf("make %s: %w", f.file(databaseFile), err)
		}
	}
	if err := createNamespace(sql); err != nil {
		return nil, fmt.Errorf("%s: %w: if it is damaged, bring back a copy, or %s", f.file(databaseFile), err, beginAnew(f))
	}
	return sql, nil
}

// connection describes one connection in write-ahead mode: more of them meet "database is locked". With synchronous=normal a
// commit outlives the process; a power cut may take back the last commits together, never parts of them.
func connection(path string) *temporalconfig.SQL {
	return &temporalconfig.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: (&url.URL{Path: path}).EscapedPath(), // it becomes part of a URI
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "wal",
			"synchronous":  "normal",
		},
		MaxConns:     1,
		MaxIdleConns: 1,
	}
}

// checkDatabase says whether a database has to be made, and refuses one that this server may not open.
func checkDatabase(f *folder) (fresh bool, err error) {
	path := f.file(databaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	stamp, err := readStamp(f)
	switch {
	case err != nil:
		return false, err
	case strings.HasPrefix(stamp, creating):
		return true, nil // killed while making it: nothing is in there yet
	case stamp == "":
		return false, fmt.Errorf("%s lies there without %s, which names the server version that wrote it: put that file back, or %s", path, stampFile, beginAnew(f))
	case stamp != headers.ServerVersion:
		return false, fmt.Errorf("%s was written by Temporal server %s, this winnow-devstack carries %s, and there is no conversion: start the winnow-devstack that carries %s to finish what is under way, or %s",
			path, stamp, headers.ServerVersion, stamp, beginAnew(f))
	}
	return false, checkHeader(f)
}

// beginAnew tells how to get rid of a database without losing what lies in S3 and NATS.
func beginAnew(f *folder) string {
	return fmt.Sprintf("move %s* and %s out of %s to begin with an empty one (results in S3 stay)", databaseFile, stampFile, f.path)
}

// checkHeader refuses a file that is no SQLite database.
func checkHeader(f *folder) error {
	file, err := os.Open(f.file(databaseFile))
	if err != nil {
		return err
	}
	defer file.Close()
	magic := []byte("SQLite format 3\x00")
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(file, head); err != nil || !bytes.Equal(head, magic) {
		return fmt.Errorf("%s is not a SQLite database (damaged, or another program's file): bring back a copy, or %s", file.Name(), beginAnew(f))
	}
	return nil
}

func readStamp(f *folder) (string, error) {
	data, err := os.ReadFile(f.file(stampFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimRight(string(data), "\n"), err
}

// createDatabase makes the schema between two stamps, so that a start after a kill in the middle knows to begin again.
func createDatabase(f *folder, sql *temporalconfig.SQL) error {
	if err := f.write(stampFile, []byte(creating+headers.ServerVersion+"\n")); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(f.file(databaseFile + suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := sqliteschema.SetupSchema(sql); err != nil {
		return err
	}
	return f.write(stampFile, []byte(headers.ServerVersion+"\n"))
}

// createNamespace adds the namespace before the server starts, so that it is known from the first request on. An existing one
// is left alone.
func createNamespace(sql *temporalconfig.SQL) error {
	ns, err := sqliteschema.NewNamespaceConfig(clusterName, namespace, false, map[string]enums.IndexedValueType{
		"WinnowJob":  enums.INDEXED_VALUE_TYPE_KEYWORD,
		"WinnowTeam": enums.INDEXED_VALUE_TYPE_KEYWORD,
	})
	if err != nil {
		return err
	}
	ns.Detail.Config.Retention = durationpb.New(retention)
	return sqliteschema.CreateNamespaces(sql, ns)
}
