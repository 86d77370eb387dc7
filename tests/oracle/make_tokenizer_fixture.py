"""Writes tests/fixtures/tokenizer/: small vocabularies of our own, and ids expected of the tokenizer.

    python make_tokenizer_fixture.py BPE_SIMPLE_VOCAB_16E6.TXT.GZ [OUT]

The argument is OpenAI's list of merges (openai/CLIP, clip/bpe_simple_vocab_16e6.txt.gz). It is read
to compute the expected ids of clip_prompts.json.gz; nothing of it is stored.

    mini/        vocab.json, merges.txt and their companions: 1000 entries in CLIP's order, trained
                 here on the phrases and texts below
    mini_json/   the same as transformers 5 saves it: tokenizer.json
    named/       66 entries without most bytes; special tokens of other names; an added token
    *_prompts    one [prompt, [ids]] per line, from the Hugging Face tokenizer, not framed. For
                 CLIP's vocabulary from vocab.json and merges.txt alone: the begin token's flags in
                 the companions make upper-case spellings of it count too.

For every prompt the script also fails unless the framed ids are begin, as many ids as fit, end, and
padding up to the length.
"""

import argparse
import collections
import gzip
import json
import pathlib
import random
import re
import tempfile
import unicodedata

import transformers
from transformers import CLIPTokenizer

transformers.logging.set_verbosity_error()
HERE = pathlib.Path(__file__).resolve().parent
BOS, EOS = "<|startoftext|>", "<|endoftext|>"

# Categories and defects of the MVTec AD data set, as their folders are called.
MVTEC = {
    "bottle": "broken_large broken_small contamination",
    "cable": "bent_wire cable_swap combined cut_inner_insulation cut_outer_insulation missing_cable "
    "missing_wire poke_insulation",
    "capsule": "crack faulty_imprint poke scratch squeeze",
    "carpet": "color cut hole metal_contamination thread",
    "grid": "bent broken glue metal_contamination thread",
    "hazelnut": "crack cut hole print",
    "leather": "color cut fold glue poke",
    "metal_nut": "bent color flip scratch",
    "pill": "color combined contamination crack faulty_imprint pill_type scratch",
    "screw": "manipulated_front scratch_head scratch_neck thread_side thread_top",
    "tile": "crack glue_strip gray_stroke oil rough",
    "toothbrush": "defective",
    "transistor": "bent_lead cut_lead damaged_case misplaced",
    "wood": "color combined hole liquid scratch",
    "zipper": "broken_teeth combined fabric_border fabric_interior rough split_teeth squeezed_teeth",
}
PHRASES = [
    "a photo of a {} with a {}",
    "a close up photo of a {} that has a {}",
    "the {} shows a small {} near the edge",
    "industrial inspection image of the {}, {} on the surface",
    "macro photograph, {} and {}, white background, sharp focus",
    "one {} without {}",
    "two {}s, both with {} marks",
    "the owner's {} isn't new; they've seen the {}, we'll say it's fine",
]


def defects():
    for category, names in MVTEC.items():
        for name in names.split():
            yield category, name


# --- vocabularies ---


def byte_letters():
    """CLIP's alphabet: (byte, letter) in the order of its vocabulary."""
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printing]
    return [(b, chr(b)) for b in printing] + [(b, chr(256 + i)) for i, b in enumerate(others)]


def clip_vocabulary(merges):
    letters = [letter for _, letter in byte_letters()]
    pieces = letters + [letter + "</w>" for letter in letters]
    pieces += [left + right for left, right in merges] + [BOS, EOS]
    assert len(set(pieces)) == len(pieces)
    return {piece: i for i, piece in enumerate(pieces)}


def train(words, count):
    """COUNT merges over WORDS (word -> frequency), the most frequent pair first."""
    letter = dict(byte_letters())
    symbols = {}
    for word in words:
        spelled = [letter[b] for b in word.encode()]
        symbols[word] = spelled[:-1] + [spelled[-1] + "</w>"]
    merges = []
    while len(merges) < count:
        pairs = collections.Counter()
        for word, spelled in symbols.items():
            for pair in zip(spelled, spelled[1:]):
                pairs[pair] += words[word]
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append((left, right))
        for word, spelled in symbols.items():
            i = 0
            while i + 1 < len(spelled):
                if (spelled[i], spelled[i + 1]) == (left, right):
                    spelled[i : i + 2] = [left + right]
                i += 1
    return merges


def corpus():
    words = collections.Counter()
    for category, name in defects():
        for phrase in PHRASES:
            text = phrase.format(category, name).replace("_", " ")
            words.update(re.findall(r"'[a-z]+|[a-z]+|[^\sa-z]+", text.lower()))
    for text in TEXTS:
        words.update(re.findall(r"\w+|[^\s\w]+", text.lower()))
    return words


def described(content, normalized=True):
    return {
        "content": content,
        "lstrip": False,
        "normalized": normalized,
        "rstrip": False,
        "single_word": False,
    }


def write_json(path, value, **keywords):
    text = json.dumps(value, ensure_ascii=False, **keywords)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def write_vocabulary(folder, vocabulary, merges):
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2"] + [f"{left} {right}" for left, right in merges]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_stable_diffusion_companions(folder):
    """As in the tokenizer folder of Stable Diffusion 1.5."""
    special = {"bos_token": described(BOS), "eos_token": described(EOS), "pad_token": EOS}
    special["unk_token"] = described(EOS)
    write_json(folder / "special_tokens_map.json", special, indent=2)
    config = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", **special}
    for name in ("bos_token", "eos_token", "unk_token"):
        config[name] = {"__type": "AddedToken", **special[name]}
    config.update(model_max_length=77, tokenizer_class="CLIPTokenizer")
    write_json(folder / "tokenizer_config.json", config, indent=2, sort_keys=True)


def write_mini(out):
    merges = train(corpus(), 1000 - 2 * 256 - 2)
    write_vocabulary(out / "mini", clip_vocabulary(merges), merges)
    write_stable_diffusion_companions(out / "mini")
    folder = out / "mini_json"
    CLIPTokenizer.from_pretrained(out / "mini").save_pretrained(folder)


def write_named(out):
    letters = "abcdefghijklmnopqrstuvwxyz"
    merges = [("c", "r"), ("a", "c"), ("cr", "ac"), ("crac", "k</w>"), ("a", "a"), ("aa", "a</w>")]
    # In "abcd", joining b and c leaves behind a rank for a and b, which must not serve a and bc.
    merges += [("b", "c"), ("a", "b"), ("bc", "d"), ("a", "bc")]
    pieces = ["<s>", "</S>", "<unk>", "<pad>", *letters, *(x + "</w>" for x in letters)]
    pieces += [a + b for a, b in merges]
    folder = out / "named"
    write_vocabulary(folder, {piece: i for i, piece in enumerate(pieces)}, merges)
    special = {"bos_token": "<s>", "eos_token": "</S>", "unk_token": "<unk>", "pad_token": "<pad>"}
    write_json(folder / "special_tokens_map.json", special)
    added = {"</S>": 1, "<Defect>": len(pieces), "metal nut": len(pieces) + 1}
    write_json(folder / "added_tokens.json", added)
    write_json(folder / "tokenizer_config.json", {"model_max_length": 12})


# --- prompts ---

# Characters that Unicode 3.2 had: every table in use agrees on them.
OLD = [
    chr(c)
    for c in range(0x20, 0x30000)
    if unicodedata.ucd_3_2_0.category(chr(c)) not in ("Cn", "Cs", "Co")
    and unicodedata.category(chr(c)) == unicodedata.ucd_3_2_0.category(chr(c))
]
MARKS = [c for c in OLD if unicodedata.category(c).startswith("M")]
SPACES = list("\t\n\v\f\r \x85\xa0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000")
CASED = [c for c in OLD if c.lower() != c or c.upper() != c]
EMOJI = "🙂👍🏽❤️👨‍👩‍👧‍👦🇩🇪🔧🔩⚙️🏭📷✂️🪛💥🧵🍾☕✨1️⃣#️⃣🏴‍☠️"
CONTRACTIONS = "it's I'm we've they'll don't you're he'd o'clock 'tis rock'n'roll 's 't 're dogs' 'S 'T"
TEXTS = """
a photo of a cat
A photo of an astronaut riding a horse on Mars
the quick brown fox jumps over the lazy dog
pneumonoultramicroscopicsilicovolcanoconiosis
cinematic photo, 35mm, f/1.8, bokeh, ultra-detailed, 8k (masterpiece:1.2), [low quality]
https://example.org/a_b?c=d&e=%20f#g
user.name+tag@example.com
C:\\Program Files\\cagen\\model.safetensors
SELECT * FROM defects WHERE size >= 0.5 AND name != 'ok';
{"defect": "scratch", "score": 0.97, "box": [1, 2, 3, 4]}
x = (a + b) * c / d - e ** 2 % 7 // 3
AT&amp;T &lt;b&gt;
“smart” don’t ‘single’ „low“ «guillemets»
ＦＵＬＬ ｗｉｄｔｈ ﬁne ﬀ ﬃ
Straße ΣΑΣ ὈΔΥΣΣΕΎΣ ΟΔΟΣ
İstanbul ISPARTA ıșık DİYARBAKIR
Ǆ ǅ ǆ ẞ ﬀ Ω K Å ℵ Ⅷ ⅷ Ⓐ ⓐ
x²½ 3rd H₂O ¼ ⅔ ① ⑳ 〇 一二三 ௧ ٣ ३
10 °C ± 0.5 µm, 3 × 4 mm, ≤ 5 %, Ø12, №7, §3, €5.99, £3, ¥100
缺陷 瓶子
金属螺母上有划痕
一张有裂缝的药丸的照片
日本語のテスト カタカナ ｶﾀｶﾅ ひらがな
傷のあるボトルの写真
균열이 있는 알약 사진
한국어 테스트
Большая царапина на бутылке, ЁЛКА
фото сломанной молнии
مسمار به خدش كبير
צילום של בקבוק שבור שָׁלוֹם
दरार वाली गोली की तस्वीर
ภาพของขวดที่แตก
Ảnh chụp một cái chai bị vỡ
größter Kratzer auf der Fläche übermäßig
café naïve résumé Ångström façade piñata Øresund Łódź
une photo d'une bouteille cassée, l'œuvre
zażółć gęślą jaźń ZAŻÓŁĆ GĘŚLĄ JAŹŃ
ფოტო გატეხილი ბოთლის ႠႡႢ
լուսանկար ԱԲԳ
ᚠᚢᚦ ᏣᎳᎩ ꭰ ᐃᓄᒃ
1e-5 0x7fff 3.14159 1,000,000 2024-02-29T12:34:56Z +49 (0)30 123456
""".strip().splitlines()


def names():
    for category, name in defects():
        yield f"{name} {category}".replace("_", " ")
        yield f"{name} {category}"
        for phrase in PHRASES[:4]:
            yield phrase.format(category, name).replace("_", " ")
    for category, name in defects():
        yield f"{category}/{name}: {name.upper()} {category.title()}"


def forms():
    """The texts in other cases and normal forms, and cut short."""
    for text in TEXTS:
        yield text
        yield text.upper()
        yield unicodedata.normalize("NFD", text.title())
        yield unicodedata.normalize("NFKD", text)
        yield text[len(text) // 2 :] + "..." + text[: len(text) // 3]
        yield text.replace(" ", "")


def numbers(r):
    for digits in range(1, 9):
        yield str(r.randrange(10 ** (digits - 1), 10**digits))
    for _ in range(60):
        a, b = r.randrange(1000), r.randrange(100)
        yield r.choice(["{}.{}", "{}x{}", "{}%{}", "{}-{}", "v{}.{}", "{}mm {}", "({},{})", "#{}/{}th"]).format(a, b)


def punctuation(r):
    marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿…–—•·†‡"
    for mark in marks:
        yield f"a{mark}b {mark} c {mark * 3}"
    for _ in range(120):
        yield "".join(r.choice(marks + "  ab1") for _ in range(r.randrange(2, 24)))


def contractions(r):
    yield CONTRACTIONS
    yield CONTRACTIONS.upper()
    for _ in range(80):
        words = r.choices(CONTRACTIONS.split() + ["'", "''", "s", "\u2019s", "12", "'1"], k=r.randrange(1, 8))
        yield r.choice(["", " "]).join(words)


def emoji(r):
    yield EMOJI
    for _ in range(120):
        parts = r.choices([*EMOJI, "ok", " ", "fine!", "\u200d", "\ufe0f", "\U0001f3fb"], k=r.randrange(1, 12))
        yield "".join(parts)


def special(r):
    parts = [BOS, EOS, EOS.upper(), "<|StartOfText|>", "<|", "|>", "endoftext", "<", "|", " ", "a", "B", "1"]
    for part in parts[:4]:
        yield part
        yield f"a{part}b"
        yield f"  {part} hi {part * 2}!"
    yield f"e{EOS}\u0301 <|end\u00a0oftext|>"
    for _ in range(80):
        yield "".join(r.choices(parts, k=r.randrange(2, 9)))


def spaces(r):
    yield ""
    yield " "
    yield "".join(SPACES)
    for space in SPACES:
        yield f"{space}one{space}two{space * 2}three{space}"
    for _ in range(60):
        yield "".join(r.choice(SPACES + list("abc.1\u200b\u180e\ufeff")) for _ in range(r.randrange(2, 20)))


def marks(r):
    for _ in range(160):
        base = r.choice("aeiouAEIOUnszk가ㅏαωіแकא1!")
        yield "".join(base + "".join(r.choices(MARKS, k=r.randrange(3))) for _ in range(r.randrange(1, 8)))
    for _ in range(60):
        jamo = [chr(r.randrange(*span)) for span in ((0x1100, 0x1113), (0x1161, 0x1176), (0x11A8, 0x11C3))]
        yield "".join(jamo[: r.randrange(1, 4)]) * r.randrange(1, 3) + chr(r.randrange(0xAC00, 0xD7A4))


def cases(r):
    for start in range(0, len(CASED), 40):
        yield "".join(CASED[start : start + 40])
    for _ in range(80):
        yield "".join(r.choices(CASED, k=r.randrange(1, 12)))


def long_prompts(r):
    words = [word for text in TEXTS[:5] for word in text.split()]
    for count in (74, 75, 76, 77, 78, 100):
        yield "scratch " * count
        yield "7" * count
    for _ in range(20):
        yield " ".join(r.choices(words, k=r.randrange(60, 130)))
    yield "scratch" * 60
    yield "".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=700))
    yield "a" * 500
    yield "!?" * 200


def mixed(r):
    words = [word for text in TEXTS for word in text.split()]
    for _ in range(250):
        yield " ".join(r.choices(words, k=r.randrange(1, 9)))
    for _ in range(250):
        yield "".join(r.choice([r.choice(OLD), chr(r.randrange(32, 127)), r.choice(CASED)]) for _ in range(r.randrange(1, 14)))
    for _ in range(150):
        yield "".join(chr(r.randrange(33, 127)) for _ in range(r.randrange(1, 24)))
    for _ in range(150):
        yield "".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=r.randrange(1, 18)))


def prompts():
    r = random.Random(20240229)
    parts = [names(), forms(), numbers(r), punctuation(r), contractions(r), emoji(r), special(r)]
    parts += [spaces(r), marks(r), cases(r), long_prompts(r), mixed(r)]
    return list(dict.fromkeys(prompt for part in parts for prompt in part))


def few_prompts(every):
    """A mixture that is small enough to stay readable in the repository."""
    return [prompt for i, prompt in enumerate(every) if i % 6 == 0 and len(prompt) <= 60]


# --- expected ids ---


def expected(folder, texts, length=77):
    """Rows of TEXTS and their ids by the tokenizer in FOLDER."""
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    rows = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False).input_ids
        frame = tokenizer(text, padding="max_length", truncation=True, max_length=length).input_ids
        kept = ids[: length - 2]
        rule = [tokenizer.bos_token_id, *kept, tokenizer.eos_token_id]
        rule += [tokenizer.pad_token_id] * (length - len(rule))
        if frame != rule:
            raise SystemExit(f"{text!r} is framed as {frame}")
        rows.append(json.dumps([text, ids], ensure_ascii=True, separators=(",", ":")))
    return "[\n" + ",\n".join(rows) + "\n]\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vocabulary", help="bpe_simple_vocab_16e6.txt.gz")
    parser.add_argument("out", nargs="?", default=HERE.parent / "fixtures" / "tokenizer")
    arguments = parser.parse_args()
    out = pathlib.Path(arguments.out)
    every = prompts()
    few = few_prompts(every)

    write_mini(out)
    write_named(out)
    (out / "mini_prompts.json").write_text(expected(out / "mini", few))
    named = ["crack", "Crack crac cracks", "aaaa aaa aa a", "a b!", "<Defect> x", "<defect>", "metal nut", "Metal  Nut"]
    named += ["<s>a</S><unk><pad>", "<S>", "</s>", "abcde abce abe", "é", "", "a b c d e f g h i j k l m"]
    (out / "named_prompts.json").write_text(expected(out / "named", named, 12))

    with gzip.open(arguments.vocabulary, "rt", encoding="utf-8") as file:
        merges = [tuple(line.split()) for line in file.read().split("\n")[1 : 49152 - 256 - 2 + 1]]
    with tempfile.TemporaryDirectory() as folder:
        write_vocabulary(pathlib.Path(folder), clip_vocabulary(merges), merges)
        text = expected(folder, every)
    (out / "clip_prompts.json.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{len(every)} prompts for CLIP's vocabulary ({len(text)} bytes), {len(few)} for the mini one")


if __name__ == "__main__":
    main()
