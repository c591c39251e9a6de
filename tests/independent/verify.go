// verify.go - a second opinion on a Chancery log, by code that is not Chancery's.
//
// What the log is, what a checkpoint means and which proofs hold is decided by
// golang.org/x/mod/sumdb/note and golang.org/x/mod/sumdb/tlog, the packages that check Go's own
// module database; this file only fetches and compares.  It is given a verifier key and the /log/
// address of a running server, and knows nothing else.
//
// The package names tiles "tile/<height>/<level>/<n>" (its sumdb's scheme), C2SP's tlog-tiles
// "tile/<level>/<n>" with the height fixed at 8; the bytes are the same, so only the name is changed
// here, in ReadTiles.  Its record tiles ("tile/8/data/…") have another form than entry bundles, so
// bundles are read by hand: a 16-bit length and the bytes, 256 times.
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type verifier struct {
	url, key string
	notes    note.Verifiers
	origin   string
	tree     tlog.Tree
	hashes   tlog.HashReader
	tiles    map[string][]byte // they never change
	entries  [][]byte
	checked  map[string]int
}

// Of a large log the server is asked for every so manieth proof; all of them are checked.
const askEvery = 499

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "disagrees: "+format+"\n", args...)
	os.Exit(1)
}

func must(err error, what string, args ...interface{}) {
	if err != nil {
		fail("%s: %v", fmt.Sprintf(what, args...), err)
	}
}

// ---- fetching ----

func (v *verifier) get(path string) ([]byte, error) {
	request, err := http.NewRequest("GET", v.url+path, nil)
	if err != nil {
		return nil, err
	}
	if v.key != "" {
		request.Header.Set("Authorization", "Bearer "+v.key)
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != 200 {
		err = fmt.Errorf("GET %s: %s: %s", path, reply.Status, body)
	}
	return body, err
}

func (v *verifier) getJSON(path string, out interface{}) {
	body, err := v.get(path)
	must(err, "fetching")
	must(json.Unmarshal(body, out), "%s", path)
}

// Height, ReadTiles and SaveTiles are tlog.TileReader.
func (v *verifier) Height() int { return 8 }

func (v *verifier) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		name := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		if v.tiles[name] == nil {
			data, err := v.get("/log/" + name)
			if err != nil {
				return nil, err
			}
			v.tiles[name] = data
		}
		all = append(all, v.tiles[name])
	}
	return all, nil
}

func (v *verifier) SaveTiles([]tlog.Tile, [][]byte) {}

// ---- checkpoints ----

// The tree that a signed checkpoint speaks of.
func (v *verifier) open(text []byte) (tlog.Tree, error) {
	signed, err := note.Open(text, v.notes)
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != v.origin {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s: %q", v.origin, signed.Text)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("no root hash: %q", lines[2])
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// The package gives the empty tree a hash of zeros, RFC 6962 (section 2.1) that of the empty string.
func (v *verifier) rootOf(size int64) tlog.Hash {
	if size == 0 {
		return sha256.Sum256(nil)
	}
	root, err := tlog.TreeHash(size, v.hashes)
	must(err, "the root of %d entries", size)
	return root
}

// Every checkpoint that was ever signed is of a beginning of the tree.
func (v *verifier) checkHistory() {
	var page struct {
		Items []struct {
			Number, Size int64
			Root         string
		}
		Next *string
	}
	for cursor := ""; ; cursor = "&cursor=" + *page.Next {
		page.Next = nil
		page.Items = nil
		v.getJSON("/log/checkpoints?limit=100"+cursor, &page)
		for _, item := range page.Items {
			if item.Size > v.tree.N {
				continue // signed after we began
			}
			text, err := v.get(fmt.Sprintf("/log/checkpoints/%d", item.Number))
			must(err, "checkpoint %d", item.Number)
			tree, err := v.open(text)
			must(err, "checkpoint %d", item.Number)
			root := v.rootOf(tree.N)
			if tree.N != item.Size || tree.Hash != root || hex.EncodeToString(root[:]) != item.Root {
				fail("checkpoint %d of %d entries is not of this tree", item.Number, tree.N)
			}
			v.checked["checkpoints"]++
		}
		if page.Next == nil {
			return
		}
	}
}

// ---- entries ----

func (v *verifier) readBundle(n, width int64) {
	name := strings.Replace(tlog.Tile{H: 8, L: 0, N: n, W: int(width)}.Path(), "tile/8/0/", "", 1)
	data, err := v.get("/log/tile/entries/" + name)
	must(err, "a bundle")
	for i := int64(0); i < width; i++ {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			fail("bundle %s ends before its entry %d", name, i)
		}
		length := 2 + int(binary.BigEndian.Uint16(data))
		v.entries = append(v.entries, data[2:length])
		data = data[length:]
	}
	if len(data) != 0 {
		fail("bundle %s has %d bytes too many", name, len(data))
	}
	v.checked["bundles"]++
}

// Entries hash to the leaves of the tree that was signed.
func (v *verifier) checkEntries() {
	for at := int64(0); at < v.tree.N; at += 256 {
		width := v.tree.N - at
		if width > 256 {
			width = 256
		}
		v.readBundle(at/256, width)
	}
	var places []int64
	for i := range v.entries {
		places = append(places, tlog.StoredHashIndex(0, int64(i)))
	}
	leaves, err := v.hashes.ReadHashes(places)
	must(err, "the tiles")
	for i, entry := range v.entries {
		if tlog.RecordHash(entry) != leaves[i] {
			fail("entry %d does not hash to its leaf", i)
		}
		v.checked["entries"]++
	}
}

// ---- proofs ----

func sameHashes(ours []tlog.Hash, theirs []string) bool {
	if len(ours) != len(theirs) {
		return false
	}
	for i, hash := range ours {
		if hex.EncodeToString(hash[:]) != theirs[i] {
			return false
		}
	}
	return true
}

// Sizes at which the tree has different shapes, up to its own.
func (v *verifier) sizes() []int64 {
	var all []int64
	for _, n := range []int64{1, 2, 3, 7, 8, 64, 100, 255, 256, 257, 511, 512, 513, 600, 65535, 65536, 65537, v.tree.N - 1} {
		if n > 0 && n < v.tree.N && (len(all) == 0 || n > all[len(all)-1]) {
			all = append(all, n)
		}
	}
	return append(all, v.tree.N)
}

func (v *verifier) checkInclusion(index, size int64, root tlog.Hash) {
	proof, err := tlog.ProveRecord(size, index, v.hashes)
	must(err, "proving %d in %d", index, size)
	leaf := tlog.RecordHash(v.entries[index])
	must(tlog.CheckRecord(proof, size, root, index, leaf), "entry %d in %d", index, size)
	v.checked["inclusion proofs"]++
	if v.tree.N < 2000 || index%askEvery == 0 || size < v.tree.N {
		v.compareInclusion(proof, index, size, root, leaf)
	}
}

// The server's proof is the one that tlog makes of the tiles.
func (v *verifier) compareInclusion(proof []tlog.Hash, index, size int64, root, leaf tlog.Hash) {
	var answer struct {
		Root      string
		Leaf_hash string
		Hashes    []string
	}
	v.getJSON(fmt.Sprintf("/log/proof/inclusion?index=%d&size=%d", index, size), &answer)
	if !sameHashes(proof, answer.Hashes) || answer.Root != hex.EncodeToString(root[:]) ||
		answer.Leaf_hash != hex.EncodeToString(leaf[:]) {
		fail("the proof of entry %d in a tree of %d", index, size)
	}
	v.checked["inclusion proofs of the server"]++
}

func (v *verifier) checkConsistency(from, to int64) {
	var answer struct {
		From_root, To_root string
		Hashes             []string
	}
	older, newer := v.rootOf(from), v.rootOf(to)
	proof, err := tlog.ProveTree(to, from, v.hashes)
	must(err, "proving %d to %d", from, to)
	must(tlog.CheckTree(proof, to, newer, from, older), "%d to %d", from, to)
	v.getJSON(fmt.Sprintf("/log/proof/consistency?from=%d&to=%d", from, to), &answer)
	if !sameHashes(proof, answer.Hashes) || answer.From_root != hex.EncodeToString(older[:]) ||
		answer.To_root != hex.EncodeToString(newer[:]) {
		fail("the consistency proof from %d to %d", from, to)
	}
	v.checked["consistency proofs"]++
}

func (v *verifier) checkProofs() {
	sizes := v.sizes()
	for i := int64(0); i < v.tree.N; i++ { // every entry in the signed tree
		v.checkInclusion(i, v.tree.N, v.tree.Hash)
	}
	for _, size := range sizes {
		root := v.rootOf(size)
		for index := size - 1; index >= 0; index = index*3/4 - 1 {
			v.checkInclusion(index, size, root)
		}
		for _, from := range sizes {
			if from <= size {
				v.checkConsistency(from, size)
			}
		}
	}
}

// A receipt: c2sp.org/tlog-proof@v1, index, hashes in base64, an empty line, the checkpoint.
func (v *verifier) checkReceipt(file string) {
	text, err := os.ReadFile(file)
	must(err, "the receipt")
	parts := strings.SplitN(string(text), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" ||
		!strings.HasPrefix(lines[1], "index ") {
		fail("%s is no receipt", file)
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	must(err, "%s", file)
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		hash, err := tlog.ParseHash(line)
		must(err, "%s", file)
		proof = append(proof, hash)
	}
	tree, err := v.open([]byte(parts[1]))
	must(err, "%s", file)
	if index >= int64(len(v.entries)) {
		fail("%s is of entry %d, which is not in the log", file, index)
	}
	leaf := tlog.RecordHash(v.entries[index])
	must(tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf), "%s", file)
	v.checked["receipts"]++
}

func main() {
	url := flag.String("url", "", "address of the server")
	key := flag.String("key", "", "API key that may read entries")
	vkey := flag.String("vkey", "", "verifier key of the log")
	flag.Parse()

	known, err := note.NewVerifier(strings.TrimSpace(*vkey))
	must(err, "the verifier key")
	v := &verifier{url: *url, key: *key, notes: note.VerifierList(known), origin: known.Name(),
		tiles: map[string][]byte{}, checked: map[string]int{}}
	text, err := v.get("/log/checkpoint")
	must(err, "the checkpoint")
	v.tree, err = v.open(text)
	must(err, "the checkpoint")
	v.hashes = tlog.TileHashReader(v.tree, v)
	if v.rootOf(v.tree.N) != v.tree.Hash {
		fail("the tiles do not have the signed root")
	}
	v.checkEntries()
	v.checkHistory()
	v.checkProofs()
	for _, file := range flag.Args() {
		v.checkReceipt(file)
	}
	fmt.Printf("agrees: %s with %d entries; checked %v\n", v.origin, v.tree.N, v.checked)
}
