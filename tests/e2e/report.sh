#!/usr/bin/env bash
# cagen report: one page that needs nothing else, says what is in the folders, and escapes it.
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

"$CAGEN" dataset make -q --out drawn --categories hex_nut --size 32 --train 6 --test-good 2 \
    --per-defect 3 >/dev/null
"$CAGEN" augment -q --method cutpaste --normal drawn/hex_nut/train/good --count 6 --out cut >/dev/null

# A manifest may hold anything: a hostile prompt, one result put aside, scores.
sed -i -e '1s/"method":/"prompt":"<script>alert(1)<\/script> \\"x\\" \\u0007","method":/' \
    -e '2s/"kept":true/"kept":false,"reason":"change <b> 3"/' \
    -e '3s/"scores":{}/"scores":{"obedience":0.75,"change":12.5}/' cut/manifest.jsonl

mkdir training
for i in 1 2 3 4; do
    printf '{"step":%s,"epoch":0.5,"loss":0.%s,"smoothed":0.%s,"learning_rate":1e-4,"seconds":%s}\n' \
        $i $((9 - i)) $((9 - i)) $i
done >training/journal.jsonl
printf '{"step":5,' >>training/journal.jsonl # being written

cat >scores.json <<'TEXT'
{"rows":[{"category":"bottle","mode":"draem","without_few_shot":false,"defect":null,"good":1,
"defective":1,"values":{}},{"category":"hex<nut>","mode":"draem","without_few_shot":false,"defect":null,"good":2,
"defective":3,"values":{"image_auroc":{"value":0.91234,"low":0.8,"high":1.0},
"pixel_auroc":{"undefined":"no <mask>"}},"curves":{"pixel_roc":[[0,0,null],[0.5,1,0.5],[1,1,0]]}}],
"means":[],"notes":["a & b"]}
TEXT
mkdir -p table/cells/bottle/draem+x
cat >table/table.json <<'TEXT'
{"categories":["bottle"],"methods":["draem","draem+x"],"rows":[{"category":"bottle","method":"draem+x",
"mode":"draem","without_few_shot":false,"measure":"pixel_ap","seeds":2,"value":0.5,"low":0.4,
"high":0.6,"difference":0.1,"difference_low":0.05,"difference_high":0.15,"significant":true,
"paper":0.684},{"category":null,"method":"draem","mode":"draem","without_few_shot":true,
"measure":"pixel_ap","seeds":2,"undefined":"no <mask>"}]}
TEXT
echo '{"curves":{"draem":{"pixel_roc":[[0,0,null],[0.5,1,0.5],[1,1,0]]}}}' >table/cells/bottle/draem+x/0.json
echo '{"curves":{"draem":{"pixel_roc":[[0,0,null],[1,1,0]]}}}' >table/cells/bottle/draem+x/1.json
"$CAGEN" figure 4 -q --data drawn --group cut=cut --perplexity 3 --iterations 20 --bootstrap 20 \
    --out figures >/dev/null
draw_picture picture.ppm 20 10

make_page() { # FILE OPTION...
    "$CAGEN" report -q --data drawn cut training table -e scores.json -f picture.ppm figures \
        --title 'A <b> & "c"' -o "$@"
}
is "output" "$(make_page page.html)" page.html
make_page again.html --threads 1 >/dev/null
same_files page.html again.html

# Self-contained: no address and no file but data; and what came from outside is text.
has() { grep -qF -- "$1" page.html || fail "the page lacks: $1"; }
lacks() { if grep -qF -- "$1" page.html; then fail "the page has: $1"; fi; }
sed -n '/class="licence"/,/<\/details>/d;p' page.html >without_licences.html
if grep -nE 'https?://|@import|<link [^>]*stylesheet|<script [^>]*src' without_licences.html; then
    fail "an address in the page"
fi
is "sources that are not data" "$(grep -oE '(src|href)="[^"]{0,5}' page.html |
    grep -vcE '^src="data:|^href="(#|data:)')" 0
has "default-src 'none'"
has '<title>A &lt;b&gt; &amp; &quot;c&quot;</title>'
lacks '<script>alert'
has '&lt;script&gt;alert(1)&lt;/script&gt; &quot;x&quot;'
has 'scores, and why 1 of 6 were put aside'
has '<td>change &lt;b&gt; 3</td>'
has 'hex&lt;nut&gt;'
has 'no &lt;mask&gt;'
has '<p class="note">a &amp; b</p>'
has '<dt>good images</dt><dd>8</dd>'
has '<dt>generated defects</dt><dd>5</dd>'
has '<dt>training updates</dt><dd>4</dd>'
has 'obedience <b>0.75</b>'
has 'outside the mask <b>unchanged</b>'
has '91.2 <span class="interval">80.0&ndash;100.0</span>'
has '</abbr> <span class="interval">+5.0 to +15.0</span>'
has '<td class="n">99.2 / 89.8</td>' # the paper's figures for bottle
has '<td class="n">86.5</td><td class="n">89.8</td>'
has '<summary>Mode draem, without the few-shot images</summary>'
has 'L213.0 92.0' # in the middle of the curves of two seeds: the mean of 1 and 0.5
has 'Pixels: ROC'
has 'class="atlas"'
is "pictures without an alternative" "$(grep -oE '<img [^>]*>' page.html | grep -vc ' alt="')" 0
is "tags that are closed" "$(grep -oE '<(section|figure|table|div|ul|dl|details)[ >]' page.html | wc -l)" \
    "$(grep -oE '</(section|figure|table|div|ul|dl|details)>' page.html | wc -l)"

report() {
    "$CAGEN" report -q -o bad.html "$@"
}
refused 2 "nothing to report of" report
refused 1 "nowhere/page.html" report drawn -o nowhere/page.html
refused 2 "--samples" report drawn --samples 0
refused 1 "nowhere" report nowhere
mkdir empty
refused 1 "empty" report empty
mkdir empty_training
: >empty_training/journal.jsonl
refused 1 "no update in it" report --training empty_training
mkdir broken
echo '{"step":' >broken/journal.jsonl
refused 1 "journal.jsonl" report broken
echo '{"rows":[]}' >none.json
refused 1 "no measures in it" report none.json
echo '{"format":"cagen likeness","groups":[],"points":[[0,1,2]]}' >few.json
refused 1 "points" report few.json
echo broken >cut/hex_nut/test/cutpaste/005.png
refused 1 "005.png" report cut --samples 1
rm cut/hex_nut/test/cutpaste/000.png
refused 1 "000.png" report cut
[ ! -e bad.html ] || fail "a page in spite of an error"
