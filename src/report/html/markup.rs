//! HTML by hand, safely: every text goes through [`escape`], every value in a script through [`script_json`].

use std::fmt::Write;

use base64::Engine;
use serde::Serialize;

/// Text as HTML, fit for elements and for attributes in double or single quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in HTML in any form.
            '\0' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON that cannot end the script element it stands in.
///
/// # Errors
/// When `value` cannot be JSON.
pub fn script_json(value: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string(value)?
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

/// Bytes in base 64 (RFC 4648, with padding).
pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A table: the first column are names, the others numbers or short texts.
pub struct Table {
    html: String,
}

impl Table {
    /// With a heading for each column.
    pub fn new(headings: &[&str]) -> Self {
        let mut html = "<table><thead><tr>".to_owned();
        for heading in headings {
            // Writing to a string cannot fail.
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(heading));
        }
        html.push_str("</tr></thead><tbody>\n");
        Self { html }
    }

    /// Adds a row.
    pub fn row(&mut self, name: &str, cells: &[String]) {
        let _ = write!(self.html, "<tr><th scope=\"row\">{}</th>", escape(name));
        self.cells(cells);
    }

    /// Adds a row whose name leads to `href`, an address that is made of letters, digits and `-_./%`.
    pub fn linked_row(&mut self, name: &str, href: &str, cells: &[String]) {
        let _ = write!(self.html, "<tr><th scope=\"row\"><a href=\"{}\">{}</a></th>", escape(href), escape(name));
        self.cells(cells);
    }

    fn cells(&mut self, cells: &[String]) {
        for cell in cells {
            let _ = write!(self.html, "<td>{}</td>", escape(cell));
        }
        self.html.push_str("</tr>\n");
    }

    /// The whole table.
    pub fn finish(self) -> String {
        self.html + "</tbody></table>\n"
    }
}

/// Part of a relative address: everything but letters, digits and `-_.` as `%XX` (RFC 3986).
pub fn address_part(name: &str) -> String {
    let mut address = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

/// A table of names and texts.
pub fn facts<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut html = "<table class=\"facts\"><tbody>\n".to_owned();
    for (name, text) in rows {
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(&text));
    }
    html + "</tbody></table>\n"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("\u{ff}\u{fe}", "w7/Dvg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn an_address_has_no_sign_of_its_own() {
        assert_eq!(address_part("a b/ü<.html"), "a%20b%2F%C3%BC%3C.html");
        let mut table = Table::new(&[]);
        table.linked_row("<b>", "x/1.html", &["2".to_owned()]);
        assert!(table.finish().contains("<th scope=\"row\"><a href=\"x/1.html\">&lt;b&gt;</a></th><td>2</td></tr>"));
    }

    #[test]
    fn a_name_that_is_markup_stays_text() {
        let mut table = Table::new(&["<b>"]);
        table.row("<img src=x onerror='alert(1)'>", &["\"&".to_owned()]);
        let html = table.finish();
        assert!(!html.contains("<img") && !html.contains("<b>"), "{html}");
        assert!(html.contains("&lt;img src=x onerror=&#39;alert(1)&#39;&gt;") && html.contains("<td>&quot;&amp;</td>"));
        assert!(facts([("a", "</td><script>".to_owned())]).contains("&lt;/td&gt;&lt;script&gt;"));
    }

    #[test]
    fn json_cannot_close_its_script() {
        let text = "</script><script>alert(1)//\u{2028}<!--";
        let json = script_json(&text).unwrap();
        assert!(!json.contains('<') && !json.contains('>') && !json.contains('\u{2028}'), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    proptest! {
        #[test]
        fn nothing_escaped_is_markup(text in "[<>&\"'a\\PC]{0,40}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
            let back = escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
            prop_assert_eq!(back.replace("&amp;", "&"), text);
        }
    }
}
