/** Tests of files as sinks and sources. */
import { assertEquals, assertThrows } from "@std/assert";
import { FileSink } from "../../../cli/host/file_sink.ts";
import { FileSource } from "../../../cli/host/file_source.ts";
import { CommandError } from "../../../cli/errors.ts";
import { JournalWriteError } from "../../../journal/errors.ts";
import { JournalReader, JournalWriter } from "../../../journal/file.ts";

function inFolder(work: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync();
  try {
    work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Writes a journal with one block that says `what`. */
function write(path: string, what: string): void {
  const writer = new JournalWriter(new FileSink(path));
  writer.append("configuration", { what });
  writer.finish();
}

function read(path: string): unknown {
  const source = new FileSource(path);
  try {
    return JournalReader.open(source).payload(0);
  } finally {
    source.close();
  }
}

Deno.test("FileSink and FileSource write a journal and read it back", () => {
  inFolder((folder) => {
    write(`${folder}/a`, "one");
    assertEquals(read(`${folder}/a`), { what: "one" });
  });
});

Deno.test("FileSink keeps an earlier journal of its name", () => {
  inFolder((folder) => {
    write(`${folder}/a`, "one");
    write(`${folder}/a`, "two");
    assertEquals([read(`${folder}/a`), read(`${folder}/a~`)], [{ what: "two" }, { what: "one" }]);
  });
});

Deno.test("FileSink refuses to overwrite what is no journal, and leaves it as it is", () => {
  inFolder((folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "precious");
    assertThrows(() => write(`${folder}/a`, "one"), JournalWriteError, "is no journal; give another name");
    assertEquals(Deno.readTextFileSync(`${folder}/a`), "precious");
    Deno.writeTextFileSync(`${folder}/empty`, "");
    write(`${folder}/empty`, "one");
    assertEquals(read(`${folder}/empty`), { what: "one" });
  });
});

Deno.test("FileSink says why it cannot write", () => {
  inFolder((folder) => {
    assertThrows(() => write(`${folder}/no/a`, "one"), JournalWriteError, "there is no such directory");
    assertThrows(() => write(folder, "one"), JournalWriteError, "it is a directory");
  });
});

Deno.test({
  name: "FileSink reports a full disk by JournalWriteError",
  ignore: Deno.build.os !== "linux",
  fn: () => {
    assertThrows(() => write("/dev/full", "one"), JournalWriteError, "no space left on device");
  },
});

Deno.test("FileSource says why it cannot open", () => {
  inFolder((folder) => {
    assertThrows(() => new FileSource(`${folder}/none`), CommandError, "there is no such file");
    assertThrows(() => new FileSource(folder), CommandError, "it is a directory");
  });
});
