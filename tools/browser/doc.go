// Package browser tests hubel's pages in a real browser, which chromedp drives. It is a module
// of its own, so that hubel's does not need chromedp.
//
// `make browser-test` installs chromium, builds the programs and runs the tests. A page's test
// is a file of its own here: it starts a program with run, opens its page with open, and keeps
// pictures with picture.
package browser
