// validate-sbom reads a CycloneDX document in JSON from standard input and compares it with the schema of CycloneDX 1.6 in
// the directory of its argument: it prints what differs and exits with 1.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const base = "http://cyclonedx.org/schema/"

func main() {
	if err := validate(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func validate(directory string) error {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	// the addresses under which the first schema refers to the others
	for name, file := range map[string]string{
		"bom-1.6.schema.json":  "bom-1.6.schema.json",
		"spdx.schema.json":     "spdx.schema.json",
		"jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		if err := add(compiler, base+name, filepath.Join(directory, file)); err != nil {
			return err
		}
	}
	schema, err := compiler.Compile(base + "bom-1.6.schema.json")
	if err != nil {
		return err
	}
	document, err := jsonschema.UnmarshalJSON(os.Stdin)
	if err != nil {
		return err
	}
	return schema.Validate(document)
}

func add(compiler *jsonschema.Compiler, address, file string) error {
	reader, err := os.Open(file)
	if err != nil {
		return err
	}
	defer reader.Close()
	document, err := jsonschema.UnmarshalJSON(reader)
	if err != nil {
		return err
	}
	return compiler.AddResource(address, document)
}

// the schemas are part of this module, so go.mod requires it
var _ = cyclonedx.SpecVersion1_6
