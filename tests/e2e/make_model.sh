#!/usr/bin/env bash
# The default model's recipe goes through from nothing to a model that paints: tiny networks, two
# steps a training.
set -euo pipefail
source "$CAGEN_SOURCE_DIR/tests/support/e2e.bash"

small_sizes sizes
cat >sizes/vae.json <<'END'
{"_class_name": "AutoencoderKL", "block_out_channels": [8, 16], "layers_per_block": 1,
 "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
 "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
 "norm_num_groups": 4, "latent_channels": 4, "sample_size": 64}
END
make_model() {
    STEPS=2 WORK=$work/made RECIPE=$work/sizes "$CAGEN_SOURCE_DIR/scripts/make-model.sh" "$@" >stdout 2>stderr ||
        fail "$(tail -n 20 stderr)"
}

echo "== from nothing to a picture of each category"
make_model
grep -q "made/mini is the model" stdout || fail "$(cat stdout)"
is "pictures" "$(wc -l <made/painted/manifest.jsonl)" 8
[ -s made/painted.png ] || fail "no sheet"
"$CAGEN" info made/mini >parts || fail "$(cat parts)"
grep -q ControlNet parts || fail "$(cat parts)"

echo "== what is complete is not made again"
cp -a made before
make_model
for stage in vae base controlnet1 controlnet; do
    is "age of $stage" "$(stat -c %Y made/$stage/state.safetensors)" "$(stat -c %Y before/$stage/state.safetensors)"
done

echo "== installed it is a model like any other"
mkdir installed
make_model --install "$work/installed/mini"
diff -r made/mini installed/mini || fail "another model"
