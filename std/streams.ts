/**
 * The part of JSR's `@std/streams` that the tools use, over Web Streams: same names, signatures and meaning.
 *
 * @module
 */

/** Reads the whole stream of strings or UTF-8 bytes as one text. */
export async function toText(stream: ReadableStream): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

/** Reads the whole stream of bytes as one buffer. */
export async function toArrayBuffer(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer();
}

/** Reads the whole stream of strings or UTF-8 bytes and parses it as JSON. */
export async function toJson(stream: ReadableStream): Promise<unknown> {
  return JSON.parse(await toText(stream));
}

/** Options of {@linkcode TextLineStream}. */
export interface TextLineStreamOptions {
  /** Whether a lone `\r` ends a line too; false by default. */
  allowCR?: boolean;
}

/**
 * Splits a stream of text into lines, without their ends (`\n` or `\r\n`); an empty last line is not a line.
 *
 * @example
 * ```ts
 * import { TextLineStream } from "@std/streams";
 * const lines = ReadableStream.from(["one\ntw", "o\n"]).pipeThrough(new TextLineStream());
 * for await (const line of lines) console.log(line); // one, two
 * ```
 */
export class TextLineStream extends TransformStream<string, string> {
  /** Takes the options, all of them optional. */
  constructor(options: TextLineStreamOptions = {}) {
    const { allowCR = false } = options;
    let rest = "";
    super({
      transform(chunk, controller) {
        // A final \r may be half of a \r\n; it waits for the next chunk.
        const end = allowCR ? /\r\n|\n|\r(?!$)/ : /\r?\n/;
        const lines = (rest + chunk).split(end);
        rest = lines.pop() ?? "";
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (rest === "") return;
        controller.enqueue(allowCR && rest.endsWith("\r") ? rest.slice(0, -1) : rest);
      },
    });
  }
}
