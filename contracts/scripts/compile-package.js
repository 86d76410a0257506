#!/usr/bin/env node
// Compiles contracts that a protocol publishes as source only, out of contracts/node_modules.
// Nothing is written: the request comes in, and the contracts go out, as JSON.
//
//   node contracts/scripts/compile-package.js < request.json > contracts.json
//
// The request names the compiler package, its settings, files with the contracts wanted of each, and
// prefixes of import paths that lie in a package of another name.
"use strict";

const fs = require("fs");
const path = require("path");

const MODULES = path.resolve(__dirname, "..", "node_modules");

function fail(message) {
  process.stderr.write(`compile-package: ${message}\n`);
  process.exit(1);
}

function reader(prefixes) {
  return (name) => {
    const prefix = Object.keys(prefixes).find((start) => name.startsWith(start));
    const file = prefix ? prefixes[prefix] + name.slice(prefix.length) : name;
    const whole = path.join(MODULES, file);
    return fs.existsSync(whole) ? fs.readFileSync(whole, "utf8") : null;
  };
}

function sourcesOf(request, read) {
  const sources = {};
  for (const file of Object.keys(request.contracts)) {
    const content = read(file);
    if (content === null) fail(`no file contracts/node_modules/${file}`);
    sources[file] = { content };
  }
  return sources;
}

function compile(request) {
  const solc = require(path.join(MODULES, request.compiler));
  const read = reader(request.prefixes);
  const wanted = Object.fromEntries(
    Object.entries(request.contracts).map(([file, names]) => [
      file,
      Object.fromEntries(names.map((name) => [name, ["abi", "evm.bytecode.object"]])),
    ]),
  );
  const settings = { ...request.settings, outputSelection: wanted };
  const input = { language: "Solidity", sources: sourcesOf(request, read), settings };
  const findImport = (name) => {
    const contents = read(name);
    return contents === null ? { error: `no file contracts/node_modules/${name}` } : { contents };
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const errors = (output.errors || []).filter((problem) => problem.severity === "error");
  if (errors.length > 0) fail(errors.map((error) => error.formattedMessage.trim()).join("\n"));
  return output.contracts;
}

function main() {
  const request = JSON.parse(fs.readFileSync(0, "utf8"));
  const compiled = compile(request);
  const contracts = {};
  for (const [file, names] of Object.entries(request.contracts)) {
    for (const name of names) {
      const { abi, evm } = compiled[file][name];
      contracts[name] = { abi, bytecode: `0x${evm.bytecode.object}` };
    }
  }
  process.stdout.write(JSON.stringify(contracts));
}

main();
