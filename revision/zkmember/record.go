package zkmember

import (
	"encoding/json"
	"fmt"

	"github.com/zkine/zkine/revision"
)

// memberRecord is the data of <root>/members/<name>.
type memberRecord struct {
	revision.Member
	Incarnation incarnation `json:"incarnation"`
	// Answers says that the holder answers challenges: releases before this one
	// do not.
	Answers bool `json:"answers_challenges,omitempty"`
	// Challenge is what a claimant of the name has asked; the holder makes it
	// its Answer.
	Challenge string `json:"challenge,omitempty"`
	Answer    string `json:"answer,omitempty"`
}

// maxMemberRecord bounds a member's record, in bytes.
const maxMemberRecord = 64 << 10

// parseMember reads a member's record.
func parseMember(data []byte) (record memberRecord, err error) {
	if len(data) > maxMemberRecord {
		return record, fmt.Errorf("%w: a member's record of %d bytes", revision.ErrForeignRoot, len(data))
	}
	err = json.Unmarshal(data, &record)
	return record, err
}

// memberAt is parseMember for a member's znode. Error: ErrForeignRoot.
func memberAt(path string, data []byte) (memberRecord, error) {
	record, err := parseMember(data)
	if err != nil {
		return record, fmt.Errorf("%w: %s is not a member record; remove it", revision.ErrForeignRoot, path)
	}
	return record, nil
}
