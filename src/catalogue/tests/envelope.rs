//! What every call may say besides the model's own parameters.

use super::*;
use crate::types::{Money, ResponseFormat};

#[test]
fn the_envelope_is_read() {
    let checked = accepted(json!({
        "model": "gpt-image-2", "prompt": "x", "response_format": "both", "user": "u-1",
        "metadata": {"order": 5}, "callback_url": "https://a.example/hook", "max_cost": 0.053,
        "stream_options": {"include_usage": true},
    }));
    let envelope = checked.request.envelope();
    assert_eq!(envelope.response_format, ResponseFormat::Both);
    assert_eq!(envelope.safety_identifier.as_deref(), Some("u-1"));
    assert_eq!(envelope.metadata, Some(json!({"order": 5})));
    assert_eq!(envelope.max_cost, Some(Money::from_micros(53_000)));
    assert_eq!(
        checked.callback_url.as_deref(),
        Some("https://a.example/hook")
    );
    assert!(checked.include_usage && !checked.stream && checked.adapted.is_empty());
    let both = accepted(json!({"prompt": "x", "safety_identifier": "s", "user": "u"}));
    assert_eq!(
        both.request.envelope().safety_identifier.as_deref(),
        Some("s")
    );
    let link = Rules {
        default_response_format: ResponseFormat::Url,
        ..Rules::default()
    };
    let quiet = run("gpt-image-2", json!({"prompt": "x"}), link).unwrap();
    assert_eq!(
        quiet.request.envelope().response_format,
        ResponseFormat::Url
    );
}

#[test]
fn a_cost_limit_never_passes_through_a_float() {
    for (sent, micros) in [
        (json!(0.00001), 10),
        (json!("0.1"), 100_000),
        (json!(0.1), 100_000),
        (json!(3), 3_000_000),
        (json!(0), 0),
    ] {
        let request = accepted(json!({"prompt": "x", "max_cost": sent})).request;
        assert_eq!(
            request.envelope().max_cost,
            Some(Money::from_micros(micros)),
            "{sent}"
        );
    }
    for wrong in [
        json!(0.0000001),
        json!(-1),
        json!("-1"),
        json!(1e300),
        json!(u64::MAX),
        json!(true),
    ] {
        let body = json!({"prompt": "x", "max_cost": wrong});
        assert_eq!(refused(body)[0].param, "max_cost", "{wrong}");
    }
}
