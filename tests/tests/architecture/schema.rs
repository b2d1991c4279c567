//! Names in the .proto files: the common style guide, and this protocol's habits on top of it.

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

fn our_files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(proto::wire::DESCRIPTOR).expect("a descriptor set");
    let files = set.file.into_iter().filter(|file| file.package() == "matching.v1");
    let files: Vec<_> = files.collect();
    assert_eq!(files.len(), super::files(&["proto/matching"], "proto").len());
    files
}

fn is_upper_camel(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_lower_snake(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('_')
        && !name.contains("__")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn upper_snake(camel: &str) -> String {
    let mut name = String::new();
    for (at, c) in camel.chars().enumerate() {
        if at > 0 && c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// Calls that carry what another party asked or answered, and are named after that.
const CARRYING: [&str; 2] = ["KeyHolderService.Evaluate", "RequesterService.Evaluations"];

#[test]
fn services_and_their_messages_are_named_after_their_calls() {
    for service in our_files().into_iter().flat_map(|file| file.service) {
        let name = service.name();
        assert!(is_upper_camel(name) && name.ends_with("Service"), "{name}");
        for method in &service.method {
            let call = method.name();
            assert!(is_upper_camel(call), "{name}.{call}");
            if CARRYING.contains(&format!("{name}.{call}").as_str()) {
                continue;
            }
            assert_eq!(method.input_type(), format!(".matching.v1.{call}Request"), "{name}.{call}");
            let mut answers = vec![format!(".matching.v1.{call}Response")];
            if method.server_streaming() {
                answers.push(format!(".matching.v1.{call}Frame"));
            }
            let answer = method.output_type().to_owned();
            assert!(answers.contains(&answer), "{name}.{call} answers with {answer}");
        }
    }
}

fn check_message(message: &DescriptorProto) {
    let name = message.name();
    assert!(is_upper_camel(name), "message {name}");
    for field in message.field.iter().map(|field| field.name()) {
        assert!(is_lower_snake(field), "{name}.{field}");
    }
    // An optional field is alone in a oneof that the compiler names.
    let optional = |index: usize| {
        let mut fields = message.field.iter().filter(|field| field.proto3_optional());
        fields.any(|field| field.oneof_index().cast_unsigned() as usize == index)
    };
    let oneofs = message.oneof_decl.iter().enumerate().filter(|(index, _)| !optional(*index));
    for (_, oneof) in oneofs {
        assert!(is_lower_snake(oneof.name()), "{name}.{}", oneof.name());
    }
    message.nested_type.iter().for_each(check_message);
    message.enum_type.iter().for_each(check_enum);
}

fn check_enum(of: &EnumDescriptorProto) {
    let name = of.name();
    assert!(is_upper_camel(name), "enum {name}");
    let prefix = upper_snake(name);
    let values: Vec<_> = of.value.iter().map(|value| value.name()).collect();
    assert_eq!(values.first().copied(), Some(&*format!("{prefix}_UNSPECIFIED")));
    assert_eq!(of.value.first().map(|value| value.number()), Some(0), "{name}");
    for value in values {
        let rest = value.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix('_'));
        let good = rest.is_some_and(|rest| is_lower_snake(&rest.to_ascii_lowercase()));
        assert!(good, "{name}.{value} does not begin with {prefix}_");
    }
}

#[test]
fn messages_fields_and_enum_values_follow_the_style_guide() {
    for file in our_files() {
        file.message_type.iter().for_each(check_message);
        file.enum_type.iter().for_each(check_enum);
    }
}
