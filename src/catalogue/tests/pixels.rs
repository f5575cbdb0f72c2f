//! Which picture a request asks for, where the form or the table of sizes says exactly.

use super::*;
use crate::catalogue::parse_size;

fn pixels(id: &str, body: Value) -> Option<(u32, u32)> {
    let checked = run(id, body, Rules::default());
    checked
        .unwrap_or_else(|faults| panic!("{faults:?}"))
        .request
        .pixels()
}

#[test]
fn every_row_of_a_table_of_sizes_is_exact() {
    let model = model("NBP");
    assert_eq!(model.sizes.len(), 30);
    for (size, row) in &model.sizes {
        let exact = parse_size(size);
        let mut body = json!({"prompt": "x"});
        for (name, value) in row {
            body[name] = value.clone();
        }
        assert_eq!(pixels("NBP", body), exact, "{size}");
        assert_eq!(
            pixels("NBP", json!({"prompt": "x", "size": size})),
            exact,
            "{size}"
        );
    }
}

#[test]
fn what_no_table_says_is_left_to_who_draws() {
    assert_eq!(pixels("NBP", json!({"prompt": "x", "size": "1:8"})), None);
    assert_eq!(
        pixels(
            "gpt-image-2-lite",
            json!({"prompt": "x", "aspect_ratio": "16:9"})
        ),
        None
    );
    assert_eq!(
        pixels("gpt-image-2", json!({"prompt": "x"})),
        Some((1024, 1024))
    );
    assert_eq!(
        pixels("qwen-image-plus", json!({"prompt": "x"})),
        Some((1328, 1328))
    );
}
