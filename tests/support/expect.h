/* What a call should return. `f` is the test's fixture, with an fg_error err. */
#ifndef FG_TESTS_EXPECT_H
#define FG_TESTS_EXPECT_H

#define ok(call) assert_int_equal((call), FG_OK)
#define fails(call, code_, says)                                                                             \
    do {                                                                                                     \
        assert_int_equal((call), (code_));                                                                   \
        assert_int_equal(f->err.code, (code_));                                                              \
        if (!strstr(f->err.msg, (says)))                                                                     \
            fail_msg("\"%s\" does not say \"%s\"", f->err.msg, (says));                                      \
    } while (0)

#endif
