import type { DecodeOptions, EncodeOptions, IncrementalDecoder, Tokenizer } from '@kvasir/interfaces';

const BOS = 256;
export const EOS = 257;
const SPECIAL = ['<s>', '</s>'];

/** One token a UTF-8 byte, plus BOS and EOS: every character outside ASCII is split across tokens. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize = 258;
  readonly bosTokenId = BOS;
  readonly eosTokenId = EOS;

  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const bytes = new TextEncoder().encode(text);
    return Int32Array.from(options.addSpecialTokens === false ? bytes : [BOS, ...bytes]);
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const decoder = this.createDecoder(options);
    return (
      Array.from(ids)
        .map((id) => decoder.push(id))
        .join('') + decoder.flush()
    );
  }

  tokenText(id: number): string {
    return id < 256 ? new TextDecoder().decode(Uint8Array.of(id)) : SPECIAL[id - 256]!;
  }

  tokenBytes(id: number): Uint8Array {
    return id < 256 ? Uint8Array.of(id) : new TextEncoder().encode(SPECIAL[id - 256]);
  }

  isSpecial(id: number): boolean {
    return id >= 256;
  }

  tokenId(content: string): number | undefined {
    const special = SPECIAL.indexOf(content);
    if (special >= 0) return 256 + special;
    const bytes = new TextEncoder().encode(content);
    return bytes.length === 1 ? bytes[0] : undefined;
  }

  createDecoder({ skipSpecialTokens = true }: DecodeOptions = {}): IncrementalDecoder {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => {
        if (id < 256) return decoder.decode(Uint8Array.of(id), { stream: true });
        return decoder.decode() + (skipSpecialTokens ? '' : this.tokenText(id));
      },
      flush: () => decoder.decode(),
    };
  }
}
