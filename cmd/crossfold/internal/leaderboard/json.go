package leaderboard

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/crossfold/crossfold/coordinator/gather"
)

// WriteJSON writes the table as one JSON object of columns: scikit-learn's cv_results_.
func WriteJSON(to io.Writer, table *gather.Table) error {
	columns, err := table.Columns()
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("{")
	for i, column := range columns {
		if i > 0 {
			text.WriteString(",")
		}
		values, err := jsonValues(column)
		if err != nil {
			return fmt.Errorf("column %s: %w", column.Name, err)
		}
		name, err := json.Marshal(column.Name)
		if err != nil {
			return fmt.Errorf("column %s: %w", column.Name, err)
		}
		fmt.Fprintf(&text, "\n  %s: [%s]", name, strings.Join(values, ", "))
	}
	text.WriteString("\n}\n")
	_, err = io.WriteString(to, text.String())
	return err
}

func jsonValues(column gather.Column) ([]string, error) {
	var values []string
	switch {
	case column.Floats != nil:
		for _, f := range column.Floats {
			values = append(values, jsonFloat(f))
		}
	case column.Ranks != nil:
		for _, rank := range column.Ranks {
			values = append(values, strconv.Itoa(int(rank)))
		}
	default:
		for _, value := range column.Values {
			if value == nil {
				value = json.RawMessage("null")
			}
			if !json.Valid(value) {
				return nil, fmt.Errorf("%q is not JSON", value)
			}
			values = append(values, string(value))
		}
	}
	return values, nil
}

// jsonFloat writes a float that reads back as the same float: 1.0 and -0.0 keep their point. JSON
// has no NaN: it is null; an infinity is a number that is too large for a float.
func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "null"
	case math.IsInf(f, 1):
		return "1e999"
	case math.IsInf(f, -1):
		return "-1e999"
	}
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return text
}
