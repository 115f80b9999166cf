//! Letters to users: asked for in a request, written and sent in the background.
