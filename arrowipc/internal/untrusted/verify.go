package untrusted

import (
	"encoding/binary"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Positions in the vtables of Arrow's format (File.fbs, Schema.fbs, Message.fbs).
const (
	footerSchema, footerDictionaries, footerBatches         = 6, 8, 10
	schemaFields, schemaMetadata                            = 6, 8
	fieldName, fieldType, fieldDictionary                   = 4, 8, 12
	fieldChildren, fieldMetadata                            = 14, 16
	keyValueKey, keyValueValue                              = 4, 6
	messageType, messageHeader, messageBody                 = 6, 8, 10
	batchLength, batchNodes, batchBuffers, batchCompression = 4, 6, 8, 10
	dictionaryData                                          = 6

	blockSize, nodeSize, bufferSize = 24, 16, 16
)

const (
	headerSchema     = 1
	headerDictionary = 2
	headerBatch      = 3

	typeUnion         = 14
	typeRunEndEncoded = 22
)

const maxDepth = 32

// continuation begins a message since format 0.15.
const continuation = 0xFFFFFFFF

// block is where a message lies in a file.
type block struct {
	offset, meta, body int64
}

// footer is what verifyFooter learned.
type footer struct {
	dictionaries, batches []block
	// nodes holds, for each column, how many field nodes its arrays take in a record batch.
	nodes []int
}

// verifier walks flatbuffers in the way arrow/go does. Its budget is what is left of the work that
// the size of the metadata explains: offsets that share or circle use it up.
type verifier struct {
	budget int
}

func newVerifier(metadata []byte) *verifier {
	return &verifier{budget: 8*len(metadata) + 1<<10}
}

func (v *verifier) spend(n int) error {
	if v.budget -= n; n < 0 || v.budget < 0 {
		return damaged("its metadata refers to itself")
	}
	return nil
}

// root returns the outermost table of a flatbuffer.
func root(buf []byte) flatbuffers.Table {
	return flatbuffers.Table{Bytes: buf, Pos: flatbuffers.GetUOffsetT(buf)}
}

// child returns the table that a slot of t refers to.
func child(t flatbuffers.Table, slot flatbuffers.VOffsetT) (flatbuffers.Table, bool) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return t, false
	}
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(o + t.Pos)}, true
}

// vector returns the length and first byte of the vector in a slot of t, whose items have size bytes.
func vector(t flatbuffers.Table, slot flatbuffers.VOffsetT, size int) (n int, start flatbuffers.UOffsetT, err error) {
	o := flatbuffers.UOffsetT(t.Offset(slot))
	if o == 0 {
		return 0, 0, nil
	}
	n, start = t.VectorLen(o), t.Vector(o)
	if int64(start)+int64(n)*int64(size) > int64(len(t.Bytes)) {
		return 0, 0, damaged("its metadata has a list that is longer than the metadata")
	}
	return n, start, nil
}

// text charges for the string in a slot of t.
func (v *verifier) text(t flatbuffers.Table, slot flatbuffers.VOffsetT) error {
	if o := flatbuffers.UOffsetT(t.Offset(slot)); o != 0 {
		return v.spend(len(t.ByteVector(o + t.Pos)))
	}
	return nil
}

// tables calls f for each table of the vector in a slot of t.
func (v *verifier) tables(t flatbuffers.Table, slot flatbuffers.VOffsetT, f func(flatbuffers.Table) error) error {
	n, start, err := vector(t, slot, flatbuffers.SizeUOffsetT)
	if err != nil {
		return err
	}
	for i := range n {
		at := start + flatbuffers.UOffsetT(i*flatbuffers.SizeUOffsetT)
		if err := v.spend(flatbuffers.SizeUOffsetT); err != nil {
			return err
		}
		if err := f(flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) metadata(t flatbuffers.Table, slot flatbuffers.VOffsetT) error {
	return v.tables(t, slot, func(pair flatbuffers.Table) error {
		if err := v.text(pair, keyValueKey); err != nil {
			return err
		}
		return v.text(pair, keyValueValue)
	})
}

// field checks one field and returns how many field nodes it takes.
func (v *verifier) field(t flatbuffers.Table, depth int) (nodes int, err error) {
	if depth > maxDepth {
		return 0, damaged("its columns are nested deeper than %d levels", maxDepth)
	}
	if kind := t.GetByteSlot(fieldType, 0); kind == typeUnion || kind >= typeRunEndEncoded {
		return 0, damaged("it has a column of a type (number %d) that is not read", kind)
	}
	if err := v.text(t, fieldName); err != nil {
		return 0, err
	}
	if err := v.metadata(t, fieldMetadata); err != nil {
		return 0, err
	}
	nodes = 1
	err = v.tables(t, fieldChildren, func(c flatbuffers.Table) error {
		n, err := v.field(c, depth+1)
		nodes += n
		return err
	})
	if _, isDictionary := child(t, fieldDictionary); isDictionary {
		nodes = 1
	}
	return nodes, err
}

// blocks reads the vector of blocks in a slot of the footer and checks them against the file's size.
func blocks(t flatbuffers.Table, slot flatbuffers.VOffsetT, fileSize int64) ([]block, error) {
	n, start, err := vector(t, slot, blockSize)
	if err != nil {
		return nil, err
	}
	all := make([]block, n)
	for i := range all {
		at := start + flatbuffers.UOffsetT(i*blockSize)
		b := block{t.GetInt64(at), int64(t.GetInt32(at + 8)), t.GetInt64(at + 16)}
		if b.offset < 0 || b.meta < 8 || b.body < 0 ||
			b.offset > fileSize || b.meta > fileSize-b.offset || b.body > fileSize-b.offset-b.meta {
			return nil, damaged("record batch %d lies outside the file", i)
		}
		all[i] = b
	}
	return all, nil
}

// schema checks a schema and returns how many field nodes each of its columns takes.
func (v *verifier) schema(t flatbuffers.Table) (nodes []int, err error) {
	err = v.tables(t, schemaFields, func(field flatbuffers.Table) error {
		n, err := v.field(field, 0)
		nodes = append(nodes, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	return nodes, v.metadata(t, schemaMetadata)
}

// verifyFooter checks everything that arrow/go reads from a footer.
func verifyFooter(buf []byte, fileSize int64) (footer, error) {
	top := root(buf)
	schema, ok := child(top, footerSchema)
	if !ok {
		return footer{}, damaged("it has no schema")
	}
	var f footer
	var err error
	if f.nodes, err = newVerifier(buf).schema(schema); err != nil {
		return footer{}, err
	}
	if f.dictionaries, err = blocks(top, footerDictionaries, fileSize); err != nil {
		return footer{}, err
	}
	f.batches, err = blocks(top, footerBatches, fileSize)
	return f, err
}

// VerifySchema checks a serialized schema, as Parquet files carry it, before arrow/go reads it.
func VerifySchema(stream []byte) error {
	return Do(func() error {
		size, rest := binary.LittleEndian.Uint32(stream), stream[4:]
		if size == continuation {
			size, rest = binary.LittleEndian.Uint32(rest), rest[4:]
		}
		if int64(size) > int64(len(rest)) {
			return damaged("its Arrow schema is cut off")
		}
		message := root(rest[:size])
		schema, ok := child(message, messageHeader)
		if !ok || message.GetByteSlot(messageType, 0) != headerSchema || message.GetInt64Slot(messageBody, 0) != 0 {
			return damaged("its Arrow schema is none")
		}
		_, err := newVerifier(rest).schema(schema)
		return err
	})
}

// fieldNode is the length and null count of one array of a record batch.
type fieldNode struct {
	length, nulls int64
}

// batchInfo is what verifyBatch learned.
type batchInfo struct {
	rows       int64
	nodes      []fieldNode
	compressed bool
}

// verifyBatch checks the metadata of a record batch, or of a dictionary's, against its body's size.
func verifyBatch(meta []byte, header byte, bodySize int64) (batchInfo, error) {
	message := root(meta)
	if got := message.GetByteSlot(messageType, 0); got != header {
		return batchInfo{}, damaged("a message has type %d where %d belongs", got, header)
	}
	batch, ok := child(message, messageHeader)
	if ok && header == headerDictionary {
		batch, ok = child(batch, dictionaryData)
	}
	if !ok {
		return batchInfo{}, damaged("a message is empty")
	}
	info := batchInfo{rows: batch.GetInt64Slot(batchLength, 0)}
	_, info.compressed = child(batch, batchCompression)
	n, start, err := vector(batch, batchNodes, nodeSize)
	if err != nil {
		return batchInfo{}, err
	}
	for i := range n {
		at := start + flatbuffers.UOffsetT(i*nodeSize)
		node := fieldNode{batch.GetInt64(at), batch.GetInt64(at + 8)}
		if node.length < 0 || node.nulls < 0 || node.nulls > node.length {
			return batchInfo{}, damaged("an array has %d values, %d of them null", node.length, node.nulls)
		}
		info.nodes = append(info.nodes, node)
	}
	n, start, err = vector(batch, batchBuffers, bufferSize)
	if err != nil {
		return batchInfo{}, err
	}
	for i := range n {
		at := start + flatbuffers.UOffsetT(i*bufferSize)
		offset, length := batch.GetInt64(at), batch.GetInt64(at+8)
		if offset < 0 || length < 0 || offset > bodySize || length > bodySize-offset {
			return batchInfo{}, damaged("buffer %d lies outside its record batch", i)
		}
	}
	return info, nil
}
