package source

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// cellKinds is the set of kinds of cell that a column has; empty cells are of no kind.
type cellKinds uint8

const (
	integerCells cellKinds = 1 << iota
	realCells
	boolCells
	textCells
)

// kindOf says what a cell's text could be at the narrowest.
func kindOf(cell string) cellKinds {
	if cell == "" {
		return 0
	}
	if _, err := parseInt(cell); err == nil {
		return integerCells
	}
	if _, err := parseFloat(cell); err == nil {
		return realCells
	}
	if _, err := parseBool(cell); err == nil {
		return boolCells
	}
	return textCells
}

// dataType is the narrowest type that holds every cell. A column without values is float64.
func (k cellKinds) dataType() arrow.DataType {
	switch {
	case k == integerCells:
		return arrow.PrimitiveTypes.Int64
	case k&(boolCells|textCells) == 0:
		return arrow.PrimitiveTypes.Float64
	case k == boolCells:
		return arrow.FixedWidthTypes.Boolean
	default:
		return arrow.BinaryTypes.String
	}
}

func parseInt(cell string) (int64, error) { return strconv.ParseInt(strings.TrimSpace(cell), 10, 64) }

// parseFloat reads decimal numbers, NaN and infinities, and not the hexadecimal that Go also takes.
func parseFloat(cell string) (float64, error) {
	if strings.ContainsAny(cell, "xX_") {
		return 0, strconv.ErrSyntax
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
	if errors.Is(err, strconv.ErrRange) {
		return v, nil
	}
	return v, err
}

func parseBool(cell string) (bool, error) {
	switch cell {
	case "true", "True", "TRUE":
		return true, nil
	case "false", "False", "FALSE":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// readCSV reads a CSV file with a header: once to learn the columns' types, once for the values.
func readCSV(ctx context.Context, in input) (*table, error) {
	var names []string
	var kinds []cellKinds
	err := eachRecord(in,
		func(header []string) error {
			names = append(names, header...)
			kinds = make([]cellKinds, len(header))
			return checkHeader(names)
		},
		func(cells []string, line func(int) int) error {
			for i, cell := range cells {
				if !utf8.ValidString(cell) {
					return fmt.Errorf("line %d, column %q is no UTF-8 text; save the file as UTF-8", line(i), names[i])
				}
				kinds[i] |= kindOf(cell)
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	builders := make([]array.Builder, len(names))
	for i, k := range kinds {
		builders[i] = array.NewBuilder(memory.DefaultAllocator, k.dataType())
		defer builders[i].Release()
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	err = eachRecord(in, func([]string) error { return nil }, func(cells []string, line func(int) int) error {
		for i, cell := range cells {
			if err := appendCell(builders[i], cell); err != nil {
				return fmt.Errorf("line %d, column %q: %w; the file changed while it was read", line(i), names[i], err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := &table{}
	for i, b := range builders {
		column := b.NewArray()
		if err := t.add(names[i], column.DataType(), []arrow.Array{column}); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// eachRecord reads CSV: the first record goes to header, every other one to row with a function
// that gives a cell's line.
func eachRecord(in io.Reader, header func([]string) error, row func([]string, func(int) int) error) error {
	buffered := bufio.NewReaderSize(in, 1<<16)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = buffered.Discard(len(mark))
	}
	r := csv.NewReader(buffered)
	r.ReuseRecord = true
	first, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("it has no header; write the columns' names as its first line")
	}
	if err != nil {
		return csvError(err, 0, 0)
	}
	if err := header(first); err != nil {
		return err
	}
	line := func(i int) int {
		n, _ := r.FieldPos(i)
		return n
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvError(err, len(cells), r.FieldsPerRecord)
		}
		if err := row(cells, line); err != nil {
			return err
		}
	}
}

// csvError says what is wrong with a line, and what to do.
func csvError(err error, got, want int) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	if errors.Is(err, csv.ErrFieldCount) {
		return fmt.Errorf("line %d has %d cells and the header has %d; mend the line, and put cells with commas in quotes",
			parse.StartLine, got, want)
	}
	return fmt.Errorf("line %d: %w; mend the line, and put cells with quotes or line breaks in quotes", parse.Line, parse.Err)
}

func checkHeader(names []string) error {
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("column %d has no name in the header; name it, or write the file without an index", i+1)
		}
		if !utf8.ValidString(name) {
			return fmt.Errorf("the name of column %d is no UTF-8 text; save the file as UTF-8", i+1)
		}
	}
	return checkNames(names)
}

// appendCell appends a cell to a column of the type that dataType chose; an empty cell is null.
func appendCell(b array.Builder, cell string) error {
	if cell == "" {
		b.AppendNull()
		return nil
	}
	var err error
	switch b := b.(type) {
	case *array.Int64Builder:
		var v int64
		v, err = parseInt(cell)
		b.Append(v)
	case *array.Float64Builder:
		var v float64
		v, err = parseFloat(cell)
		b.Append(v)
	case *array.BooleanBuilder:
		var v bool
		v, err = parseBool(cell)
		b.Append(v)
	case *array.StringBuilder:
		b.Append(cell)
	}
	return err
}
