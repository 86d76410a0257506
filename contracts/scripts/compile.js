#!/usr/bin/env node
// Compiles every contract in contracts/src and contracts/src/conformance and writes contracts/artifacts/NAME.json.
// With --check nothing is written: the committed artifacts must equal a fresh compilation byte for byte.
//
//   node contracts/scripts/compile.js [--check]
"use strict";

const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const ROOT = path.resolve(__dirname, "..");
const SOURCES = path.join(ROOT, "src");
const ARTIFACTS = path.join(ROOT, "artifacts");
const SETTINGS = {
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none" },
  optimizer: { enabled: true, runs: 200 },
};

function fail(message) {
  process.stderr.write(`compile: ${message}\n`);
  process.exit(1);
}

function loadCompiler() {
  const wanted = require(path.join(ROOT, "package.json")).dependencies.solc;
  let solc;
  try {
    solc = require("solc");
  } catch {
    fail("the compiler is not installed; run `make setup`");
  }
  if (!solc.version().startsWith(`${wanted}+`)) {
    fail(`solc ${solc.version()} is installed, package.json pins ${wanted}; run \`make setup\``);
  }
  return solc;
}

const read = (name) => fs.readFileSync(path.join(SOURCES, name), "utf8");
const sha256 = (text) => crypto.createHash("sha256").update(text, "utf8").digest("hex");

// One compilation per file, so that a new contract never changes the bytes of another.
function compileFile(solc, file) {
  const input = {
    language: "Solidity",
    sources: { [file]: { content: read(file) } },
    settings: {
      ...SETTINGS,
      outputSelection: { [file]: { "*": ["abi", "metadata", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const findImport = (name) => {
    try {
      return { contents: read(name) };
    } catch {
      return { error: `no file contracts/src/${name}` };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: findImport }));
  const problems = (output.errors || []).map((error) => error.formattedMessage.trim());
  if (problems.length > 0) fail(`${file} does not compile cleanly\n${problems.join("\n")}`);
  return Object.entries(output.contracts[file] || {});
}

function artifactOf(solc, file, name, contract) {
  const names = Object.keys(JSON.parse(contract.metadata).sources).sort();
  return {
    contractName: name,
    sourceName: file,
    compiler: { name: "solc", version: solc.version() },
    settings: SETTINGS,
    sources: Object.fromEntries(names.map((source) => [source, sha256(read(source))])),
    abi: contract.abi,
    bytecode: `0x${contract.evm.bytecode.object}`,
    deployedBytecode: `0x${contract.evm.deployedBytecode.object}`,
  };
}

const contractsIn = (folder) =>
  fs.readdirSync(path.join(SOURCES, folder)).filter((file) => file.endsWith(".sol")).map((file) => folder + file);

function compileAll() {
  const solc = loadCompiler();
  const files = ["", "conformance/"].flatMap(contractsIn).sort();
  const artifacts = new Map();
  for (const file of files) {
    for (const [name, contract] of compileFile(solc, file)) {
      if (contract.evm.bytecode.object === "") continue; // an interface has no code
      artifacts.set(`${name}.json`, `${JSON.stringify(artifactOf(solc, file, name, contract), null, 2)}\n`);
    }
  }
  return artifacts;
}

function committed() {
  if (!fs.existsSync(ARTIFACTS)) return [];
  return fs.readdirSync(ARTIFACTS).filter((file) => file.endsWith(".json")).sort();
}

function check(artifacts) {
  const stale = [...artifacts].filter(([file, text]) => {
    const target = path.join(ARTIFACTS, file);
    return !fs.existsSync(target) || fs.readFileSync(target, "utf8") !== text;
  });
  const orphans = committed().filter((file) => !artifacts.has(file));
  if (stale.length + orphans.length > 0) {
    const list = [...stale.map(([file]) => `stale ${file}`), ...orphans.map((file) => `without source ${file}`)];
    fail(`${list.join(", ")}; run \`node contracts/scripts/compile.js\` and commit contracts/artifacts`);
  }
  process.stdout.write(`compile: ${artifacts.size} artifacts equal a fresh compilation\n`);
}

function write(artifacts) {
  fs.mkdirSync(ARTIFACTS, { recursive: true });
  for (const file of committed()) if (!artifacts.has(file)) fs.unlinkSync(path.join(ARTIFACTS, file));
  for (const [file, text] of artifacts) fs.writeFileSync(path.join(ARTIFACTS, file), text);
  process.stdout.write(`compile: wrote ${artifacts.size} artifacts\n`);
}

const options = process.argv.slice(2);
if (options.some((option) => option !== "--check")) fail("the only option is --check");
(options.includes("--check") ? check : write)(compileAll());
